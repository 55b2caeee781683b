"""A server that is broken on purpose, people who go on talking meanwhile, and the ledger of what became of it all.

`anonchat chaos` is made of this, and so are the fault tests and the soak of the project. The people know nothing but the
protocol; each talks through a line of its own, which can be cut or go dead.
"""
