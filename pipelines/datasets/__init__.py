"""Data sets: ``pagebeam prepare`` makes them, ``pagebeam inspect`` reads them back, the review sheet corrects them."""
