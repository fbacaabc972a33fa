"""Acquisition physics and anatomy: from stored pixels to a plane with unit noise, and what lies where on it."""

from mammocalc.prepare.parameters import PrepareParameters
from mammocalc.prepare.scene import Anatomy, Scene
from mammocalc.prepare.stage import prepare

__all__ = ["Anatomy", "PrepareParameters", "Scene", "prepare"]
