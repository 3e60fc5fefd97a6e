"""Files as they are handed over: found, looked at, read row by row, and entered in the lake's register."""
