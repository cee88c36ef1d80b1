"""Exact values of Arrow's columns."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalogs.exact import ColumnKind, ExactValues, fitting, integers, texts


def kind_of_type(kind: pa.DataType) -> ColumnKind | None:
    """Return what a column of a type holds; None: nothing that can be compared."""
    types = pa.types
    if types.is_dictionary(kind):
        return kind_of_type(kind.value_type)
    if types.is_fixed_size_list(kind):
        return _of_elements(kind.value_type, kind.list_size)
    if types.is_list(kind) or types.is_large_list(kind):
        return _of_elements(kind.value_type, -1)
    if types.is_integer(kind) or (types.is_decimal(kind) and kind.scale == 0):
        return ColumnKind("integer")
    if types.is_floating(kind) or types.is_decimal(kind) or types.is_null(kind):
        return ColumnKind("number")
    if types.is_boolean(kind):
        return ColumnKind("logical")
    is_text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    return ColumnKind("text") if is_text else None


def _of_elements(kind: pa.DataType, size: int) -> ColumnKind | None:
    element = kind_of_type(kind)
    return None if element is None or element.size is not None else ColumnKind(element.kind, size)


def values_of_array(array: pa.Array, element: int | None) -> ExactValues:
    """Return values as they are.

    Parameters
    ----------
    array : pyarrow.Array
        Of a type that `kind_of_type` knows.
    element : int or None
        Of lists: which one, from 0; missing in those that are too short.

    Returns
    -------
    ExactValues

    Raises
    ------
    TypeError
        If values of this type cannot be compared.
    """
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if element is not None:
        array = _elements(array, element)
    known = kind_of_type(array.type)
    if known is None:
        raise TypeError(f"values of {array.type} cannot be compared")
    kind = known.kind
    if kind == "text":
        return texts(pc.cast(array, pa.large_string()).to_pylist())
    if kind == "number":
        numbers = pc.cast(array, pa.float64(), safe=False)
        filled = numbers.fill_null(float("nan")) if numbers.null_count else numbers
        return ExactValues(filled.to_numpy(zero_copy_only=False))
    if pa.types.is_decimal(array.type):
        return integers([None if v is None else int(v) for v in array.to_pylist()])
    missing = None
    if array.null_count:
        missing = pc.is_null(array).to_numpy(zero_copy_only=False)
        array = array.fill_null(False if kind == "logical" else 0)
    return ExactValues(fitting(array.to_numpy(zero_copy_only=False)), missing)


def _elements(array: pa.Array, element: int) -> pa.Array:
    """Take one element of each list, null where there is none."""
    if pa.types.is_fixed_size_list(array.type):
        size = array.type.list_size
        places = np.arange(len(array), dtype=np.int64) * size + array.offset * size + element
        short = np.zeros(len(array), np.bool_)
    else:
        offsets = array.offsets.to_numpy().astype(np.int64)
        places = offsets[:-1] + element
        short = places >= offsets[1:]
    empty = short | pc.is_null(array).to_numpy(zero_copy_only=False)
    return array.values.take(pa.array(np.where(empty, 0, places), mask=empty))
