"""Colors that color-blind readers can distinguish: Okabe-Ito, then Tol."""

from dataclasses import dataclass

PAPER, INK, FAINT = "#ffffff", "#1f2328", "#8c959f"
BLUE, VERMILION = "#0072b2", "#d55e00"

# light, dark
TRIALS = (
    ("#0072b2", "#56a8e8"),
    ("#d55e00", "#ff8a3d"),
    ("#009e73", "#2fc79b"),
    ("#cc79a7", "#e79ac5"),
    ("#e69f00", "#ffc04d"),
    ("#882255", "#c96a9b"),
    ("#56b4e9", "#9ad3f5"),
    ("#999933", "#c9c963"),
    ("#332288", "#8f83e0"),
    ("#44403c", "#d6d3d1"),
)


@dataclass(frozen=True)
class Theme:
    """The colors of drawings of formulas and of descents, on light or on dark paper.

    Text colors have a contrast of at least 4.5 to 1 with the paper (WCAG 2, level AA).
    paths: (text, band) of each path. runs: of each run of a descent.
    """

    paper: str
    ink: str
    second: str
    rules: str
    contours: str
    value: str
    value_fill: str
    gradient: str
    gradient_line: str
    gradient_fill: str
    good: str
    paths: tuple[tuple[str, str], ...]
    runs: tuple[str, ...]


THEMES = {
    "light": Theme(
        paper="#ffffff", ink="#1f2328", second="#57606a", rules="#d0d7de", contours="#b6bec7",
        value="#0072b2", value_fill="#eaf3fa",
        gradient="#b94700", gradient_line="#d55e00", gradient_fill="#fdf0e6", good="#00745a",
        paths=(("#00745a", "#009e73"), ("#882255", "#cc79a7"), ("#0072b2", "#56b4e9"),
               ("#8a5a00", "#e69f00")),
        runs=("#0072b2", "#d55e00", "#009e73", "#882255", "#8a5a00", "#44403c"),
    ),
    "dark": Theme(
        paper="#0d1117", ink="#e6edf3", second="#9198a1", rules="#30363d", contours="#3d4650",
        value="#56b4e9", value_fill="#0f2533",
        gradient="#ff9e4a", gradient_line="#ff9e4a", gradient_fill="#33200f", good="#2fc79b",
        paths=(("#2fc79b", "#2fc79b"), ("#e79ac5", "#cc79a7"), ("#56b4e9", "#0072b2"),
               ("#ffc04d", "#e69f00")),
        runs=("#56b4e9", "#ff8a3d", "#2fc79b", "#e79ac5", "#ffc04d", "#d6d3d1"),
    ),
}  # fmt: skip
