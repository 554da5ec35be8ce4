"""As much of Keras as tests/user_code.py needs.

Without it, `keras.Model` is of type Any, and so any name is one of kgen's models'.
"""

from typing import Any

def __getattr__(name: str) -> Any: ...

class Model: ...
