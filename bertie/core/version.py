"""The version of this package.

In:  nothing
Out: `__version__`
Knows nothing of anything else in the package.
"""

__version__ = "0.1.0"
