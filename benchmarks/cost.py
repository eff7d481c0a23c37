"""Estimates time, files, requests and dollars of reading many pages on many machines, from measured constants.

    python benchmarks/cost.py --pages 10_000_000 --dollars-per-core-hour 0.04 [--machines 1 10 100]

Prices are those of your cloud; none is built in. The defaults of the other constants were measured with this version:
pages a second and core, start-up and bytes a page by ``pagebeam run`` over 200 pages (docs/campaign.md), the commit by
benchmarks/growth.py. Measure yours with benchmarks/compare.py: pages and processors differ more than clouds do.
"""

from __future__ import annotations

import argparse

_SHARD_ROWS = 500  # pipelines/output/shards.py


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    option = parser.add_argument
    option("--pages", type=int, default=10_000_000)
    option("--pages-per-document", type=float, default=10)
    option("--machines", type=int, nargs="+", default=[1, 10, 100, 1000])
    option("--cores", type=int, default=16, help="of a machine")
    option("--pages-per-core-s", type=float, default=5.1)
    option(
        "--start-s", type=float, default=60, help="until a machine reads: its own start, pulling the image, planning"
    )
    option("--kb-per-page-in", type=float, default=300)
    option("--kb-per-page-out", type=float, default=12)
    option("--commit-us-per-page", type=float, default=13, help="parts commit one after the other")
    option("--commit-us-per-known-document", type=float, default=1.1, help="each part passes the known ones through")
    option("--dollars-per-core-hour", type=float, required=True)
    option("--dollars-per-1000-requests", type=float, default=0.0)
    options = parser.parse_args()

    documents = options.pages / options.pages_per_document
    print(f"{options.pages:,} pages in {documents:,.0f} documents, {options.cores} cores a machine")
    terabytes = [options.pages * kb / 1e9 for kb in (options.kb_per_page_in, options.kb_per_page_out)]
    print("in {:.2f} TB, out {:.2f} TB".format(*terabytes))
    print(f"{'machines':>8} {'hours':>8} {'core hours':>11} {'shards':>8} {'requests':>11} {'dollars':>9}")
    for machines in options.machines:
        reading_s = options.pages / (options.pages_per_core_s * options.cores * machines)
        known = machines * documents / 2  # by all parts together: on average half of the documents are known
        commit_us = options.pages * options.commit_us_per_page + known * options.commit_us_per_known_document
        seconds = options.start_s + reading_s + commit_us / 1e6
        shards = max(machines * options.cores, options.pages / _SHARD_ROWS)
        # Look and fetch; write, look, move (a copy and a delete); and list all inputs, a thousand names at a time.
        requests = 2 * documents + 4 * shards + machines * documents / 1000
        core_hours = seconds * machines * options.cores / 3600
        dollars = core_hours * options.dollars_per_core_hour + requests / 1000 * options.dollars_per_1000_requests
        print(
            f"{machines:8} {seconds / 3600:8.2f} {core_hours:11,.0f} {shards:8,.0f} {requests:11,.0f} {dollars:9,.0f}"
        )


if __name__ == "__main__":
    main()
