"""From raw files to typed canonical tables, and a ledger of everything that happened to a row on the way."""
