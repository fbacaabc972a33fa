"""Imported by the workers of an executor or a cluster: the processes that they start search stubs."""

import functools

from mammocalc.batch import guarded, pool

guarded.ProcessCrew = functools.partial(pool.ProcessCrew, searcher="stub_stages:search", prepare="")
