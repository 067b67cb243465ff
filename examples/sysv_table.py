"""The other half of sysv_table.ts, which starts it: reads the table where it is, with nothing but Python's own."""

import ctypes
import sys


class Row(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char * 16), ("price", ctypes.c_double), ("stock", ctypes.c_uint32)]


SHM_RDONLY = 0o10000

libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
address = libc.shmat(int(sys.argv[1]), None, SHM_RDONLY)
if address == ctypes.c_void_p(-1).value:
    raise OSError(ctypes.get_errno(), "shmat")

count = ctypes.c_uint64.from_address(address).value
for row in (Row * count).from_address(address + 8):
    print(f"{row.name.decode()}: {row.stock} at {row.price:.2f}")
