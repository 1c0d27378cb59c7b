"""Jobs from the command line: told as tables, written to files, and made to be what a file says.

A file's way: ``documents`` reads YAML into plain values that know their lines, ``entries`` makes definitions of them
(and of definitions entries again), ``planning`` compares with what is stored, ``applying`` does what was planned.
"""
