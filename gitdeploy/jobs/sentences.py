"""A schedule as one sentence, in the language asked for."""

from __future__ import annotations

from gitdeploy.jobs.clocknotes import Language
from gitdeploy.jobs.english import english
from gitdeploy.jobs.korean import korean
from gitdeploy.jobs.shape import Shape

__all__ = ["Language", "sentence"]


def sentence(shape: Shape, language: Language) -> str:
    """One sentence with its full stop: times, days, bounds, zone."""
    return korean(shape) if language == "ko" else english(shape)
