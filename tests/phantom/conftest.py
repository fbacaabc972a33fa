"""One phantom of every intent, made once."""

import pytest

from mammocalc.phantom import PhantomSettings, make

SMALL = {"rows": 900, "columns": 640}


@pytest.fixture(scope="session")
def left():
    return make(3, settings=PhantomSettings(**SMALL, bb_marker=True, clips=1))


@pytest.fixture(scope="session")
def raw():
    return make(3, settings=PhantomSettings(**SMALL, intent="FOR PROCESSING", laterality="R", view="MLO"))
