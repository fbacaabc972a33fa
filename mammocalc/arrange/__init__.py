"""Arrange: bring single candidates into company, along vessels and in clusters."""

from mammocalc.arrange.arrangement import Arrangement
from mammocalc.arrange.parameters import ArrangeParameters
from mammocalc.arrange.stage import arrange

__all__ = ["ArrangeParameters", "Arrangement", "arrange"]
