"""Claims and the evidence behind them: run again, shown on one page, signed, and checked later (``capc verify``)."""
