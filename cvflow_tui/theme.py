"""Three calm themes with one accent: dark, light, and the terminal's own sixteen colours."""

from __future__ import annotations

import os

from textual.theme import Theme

DARK = Theme(
    name="cvflow-dark",
    primary="#6fb3d2",
    secondary="#6fb3d2",
    accent="#6fb3d2",
    warning="#e0b050",
    error="#e07a6a",
    success="#7fbf8f",
    foreground="#d6dadd",
    background="#16191c",
    surface="#1b1f23",
    panel="#262b30",
    dark=True,
    variables={
        "muted": "#8b949b",
        "cursor-row": "#2b3b46",
        "cursor-row-blurred": "#23292e",
        "block-cursor-text-style": "none",
        "input-selection-background": "#6fb3d2 35%",
        "scrollbar": "#3a4249",
        "scrollbar-hover": "#4b555d",
        "scrollbar-active": "#6fb3d2",
        "scrollbar-background": "#16191c",
        "scrollbar-background-hover": "#16191c",
        "scrollbar-background-active": "#16191c",
        "scrollbar-corner-color": "#16191c",
        "border": "#6fb3d2",
        "border-blurred": "#3a4249",
    },
)

LIGHT = Theme(
    name="cvflow-light",
    primary="#1f6f94",
    secondary="#1f6f94",
    accent="#1f6f94",
    warning="#8a5a00",
    error="#a8322a",
    success="#2f7040",
    foreground="#22282c",
    background="#fafaf7",
    surface="#f3f3ef",
    panel="#e6e7e3",
    dark=False,
    variables={
        "muted": "#656d73",
        "cursor-row": "#cfe3ec",
        "cursor-row-blurred": "#e6ebec",
        "block-cursor-text-style": "none",
        "input-selection-background": "#1f6f94 30%",
        "scrollbar": "#c3c8c9",
        "scrollbar-hover": "#a9b0b2",
        "scrollbar-active": "#1f6f94",
        "scrollbar-background": "#fafaf7",
        "scrollbar-background-hover": "#fafaf7",
        "scrollbar-background-active": "#fafaf7",
        "scrollbar-corner-color": "#fafaf7",
        "border": "#1f6f94",
        "border-blurred": "#c3c8c9",
    },
)

ANSI = Theme(
    name="cvflow-ansi",
    ansi=True,
    primary="ansi_cyan",
    secondary="ansi_cyan",
    accent="ansi_cyan",
    warning="ansi_yellow",
    error="ansi_red",
    success="ansi_green",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    dark=True,
    variables={
        "muted": "ansi_default",
        "cursor-row": "ansi_blue",
        "cursor-row-blurred": "ansi_bright_black",
        "ansi-background": "ansi_black",
        "ansi-foreground": "ansi_white",
        "border-blurred": "ansi_bright_black",
        "block-cursor-foreground": "ansi_black",
        "block-cursor-background": "ansi_cyan",
        "input-cursor-background": "ansi_white",
        "input-cursor-foreground": "ansi_black",
        "input-selection-background": "ansi_blue",
        "input-selection-foreground": "ansi_white",
    },
)

THEMES: tuple[Theme, ...] = (DARK, LIGHT, ANSI)


def chosen(color_system: str | None = None) -> str:
    """The theme to start with: `$CVFLOW_THEME` (`dark`, `light`, `ansi`); else the terminal's own colours where it has only sixteen.

    `color_system` is Rich's name for what the terminal can show. Otherwise light where `$COLORFGBG` tells of a light terminal.
    """
    asked = os.environ.get("CVFLOW_THEME", "").strip().lower()
    for theme in THEMES:
        if asked and asked in (theme.name, theme.name.removeprefix("cvflow-")):
            return theme.name
    # Shades that are close to each other become one of sixteen: words would lie on their own colour.
    if color_system == "standard" and not os.environ.get("NO_COLOR"):
        return ANSI.name
    background = os.environ.get("COLORFGBG", "").rpartition(";")[2]
    return LIGHT.name if background in ("7", "15") else DARK.name
