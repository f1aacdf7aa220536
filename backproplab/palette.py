"""Colors that color-blind readers can distinguish: Okabe-Ito, then Tol."""

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
