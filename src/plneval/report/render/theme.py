"""The colours, fonts and measures that pages and figures share.

Contrast on white, or on the tint where a colour is used, is at least 4.5 : 1 for text (WCAG 2.2 AA); a test
computes it.
"""

from __future__ import annotations

# Text and surfaces.
INK = "#1f2933"
MUTED = "#52606d"
RULE = "#cbd2d9"
PAPER = "#ffffff"
SURFACE = "#f5f7fa"

# The house colour: headings, links, the first series of a figure.
ACCENT = "#0b5394"
ACCENT_DARK = "#083b6a"

# Series of a figure, for readers with the common colour vision deficiencies too (after Okabe and Ito 2008, darkened
# for white paper).
SERIES = ("#0b5394", "#c45500", "#00755b", "#8b3d88", "#7a6200", "#4a5568")

# Verdict colours: always with a word beside them, never alone.
POSITIVE = "#00755b"
NEGATIVE = "#b3261e"
UNCERTAIN = "#7a5200"

# Callouts: (border and title, tint).
CALLOUTS: dict[str, tuple[str, str]] = {
    "note": ("#0b5394", "#eaf2fa"),
    "tip": ("#00694f", "#e8f5f0"),
    "warning": ("#7a5200", "#fdf4e0"),
    "caution": ("#a33b00", "#fdeee4"),
    "important": ("#a3201a", "#fceceb"),
}

SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Noto Sans", sans-serif'
MONO = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace'


def contrast_ratio(foreground: str, background: str) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.2, definition of *contrast ratio*).

    Parameters
    ----------
    foreground, background:
        Colours as ``#rrggbb``.
    """
    lighter, darker = sorted((_luminance(foreground), _luminance(background)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    """Relative luminance, 0 to 1 (WCAG 2.2, definition of *relative luminance*)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
