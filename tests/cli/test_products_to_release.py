"""From an inventory of products to released rows, and a study of one network that has none."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from tiny_study import TinyStudy

from plneval.challenge.sustainability import NO_PRODUCTS

NETWORKS = {"N1": (1, 4), "N2": (2, 5), "N3": (3, 6)}
COUNTS = ["networks_shown", "networks_not_shown", "networks_no_data"]


def members(networks: dict[str, tuple[int, ...]]) -> str:
    rows = [f"{name},{s},{2013 if s < 4 else 2014}-09-01," for name, own in networks.items() for s in own]
    return "\n".join(["net,school,from,to", *rows, ""])


def study(folder: Path, networks: dict[str, tuple[int, ...]], products: bool) -> TinyStudy:
    made = TinyStudy(folder)
    made.declared["models"] = ["cs"]
    made.files["networks.csv"] = "net,name\n" + "".join(f"{name},Network {name}\n" for name in networks)
    made.files["members.csv"] = members(networks)
    if products:
        # Of each network three products: one is used for good, one falls out of use, of one nobody could tell.
        rows = [
            f"{name},{product},{year},{used}"
            for name in networks
            for year, states in ((2015, ("yes", "yes", "yes")), (2017, ("yes", "no", "")))
            for product, used in enumerate(states, start=1)
        ]
        rows += ["N9,1,2015,yes", "N1,4,2031,yes", "N1,4,2016,partly", "N1,5,2016,yes", "N1,5,2016,no", "N1,1,2015,yes"]
        made.files["products.csv"] = "\n".join(["net,product,year,used", *rows, ""])
        made.sources["products"] = [
            {
                "files": "products.csv",
                "year": {"column": "year"},
                "columns": {"network_id": "net", "product_id": "product", "used": "used"},
                "recode": {"used": {"yes": 1, "no": 0}},
            }
        ]
    made.walk("release")
    return made


def released(made: TinyStudy, name: str) -> pd.DataFrame:
    return pd.read_parquet(made.tables / f"{name}.parquet")


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> TinyStudy:
    return study(tmp_path_factory.mktemp("three"), NETWORKS, True)


def test_products_of_three_networks_are_released_as_shares(three: TinyStudy) -> None:
    card = released(three, "sustainability").set_index("criterion")
    used = card.loc["products_used"]
    assert (used["verdict"], used["value"], used["n_products"], used["n_products_unknown"]) == ("shown", 0.5, 6, 3)
    assert (used["n_networks"], used["n_schools"]) == (3, 6)
    # Nobody asked whether they are improved: that is not the same as no.
    assert card.loc["products_improved", "verdict"] == "no_data"
    assert card.loc["products_improved", "n_products_unknown"] == 9
    assert "of 9 more it is not known" in card.loc["products_improved", "reason"]
    # Two of each network's products are known: too few for a network's own verdict.
    assert used[COUNTS].tolist() == [0, 0, 3]
    use = released(three, "product_use")
    assert use.loc[use["what"] == "used", "share"].tolist() == [1.0, 0.5, 1.0, 0.5]
    assert "N1" not in use.to_csv()


def test_every_wrong_row_of_the_inventory_stands_in_the_released_ledger(three: TinyStudy) -> None:
    found = released(three, "rejections")
    assert found.loc[found["table"] == "products"].set_index("rule")["count"].to_dict() == {
        "bad_type": 1,
        "conflicting_duplicate": 2,
        "unknown_network": 1,
        "year_outside_study": 1,
    }
    ledger = released(three, "ledger").set_index("table").loc["products"]
    assert ledger[["read", "kept", "rejected", "merged"]].tolist() == [24, 18, 5, 1]
    problems = released(three, "network_problems").set_index("rule")["count"]
    assert problems["product_of_unknown_use"] == 3


@pytest.mark.slow
def test_two_networks_cannot_tell_each_other_s_results_from_counts(tmp_path: Path) -> None:
    made = study(tmp_path, {"N1": (1, 3, 5), "N2": (2, 4, 6)}, True)
    card, degrees = released(made, "sustainability"), released(made, "sustainability_degrees")
    assert card[COUNTS].isna().all(axis=None)
    assert card["networks_shown_suppressed"].all()
    assert degrees["n_networks"].isna().all()
    assert degrees["n_networks_suppressed"].all()
    assert degrees["overall"].sum() == 1
    assert card.set_index("criterion").loc["products_used", ["value_suppressed", "verdict"]].tolist() == [True, "shown"]
    assert released(made, "product_use")["share"].isna().all()


@pytest.mark.slow
def test_one_network_without_an_inventory_has_no_data_on_products_and_says_why(tmp_path: Path) -> None:
    made = study(tmp_path, {"N1": (1, 2, 3, 4, 5, 6)}, False)
    card = released(made, "sustainability").set_index("criterion")
    for criterion in ("products_used", "products_improved"):
        assert card.loc[criterion, ["verdict", "reason"]].tolist() == ["no_data", NO_PRODUCTS]
    assert card[COUNTS].isna().all(axis=None)
    assert not card["networks_shown_suppressed"].any()
    assert released(made, "product_use").empty
    data = released(made, "network_data").set_index("part")
    assert not data.loc["products", "available"]
