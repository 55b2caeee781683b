"""The colours: calm, dark, and each text at least 4.5:1 against what it stands on."""

from __future__ import annotations

from textual.theme import Theme

CALM = Theme(
    name="anonchat",
    primary="#7aa2f7",
    secondary="#bb9af7",
    accent="#7dcfff",
    foreground="#d5d9e6",
    background="#15171e",
    surface="#1f222c",
    panel="#2a2e3b",
    success="#9ece6a",
    warning="#e0af68",
    error="#f7768e",
    dark=True,
    variables={
        "faint": "#8a91a8",
        "bar": "#232838",
        "scrollbar": "#343a4b",
        "scrollbar-hover": "#454c61",
        "scrollbar-active": "#7aa2f7",
        "scrollbar-background": "#15171e",
        "scrollbar-background-hover": "#15171e",
        "scrollbar-background-active": "#15171e",
        "name-1": "#7aa2f7",
        "name-2": "#9ece6a",
        "name-3": "#e0af68",
        "name-4": "#bb9af7",
        "name-5": "#f28fad",
        "name-6": "#73daca",
    },
)
