#!/usr/bin/env bash
# dinglehopper finds no errors in the cells of a table, nor in regions that have their text in lines alone.
#
# Versions:  dinglehopper 0.11.0 on Python 3.11; PAGE XML of 2019-07-15.
# Behavior:  of the regions that the reading order names, dinglehopper reads those that are TextRegions and passes over the
#            others without a word, so that the cells of a TableRegion count only if the order names each of them, or if
#            there is no order. Text is that of the region itself (TextEquiv); a region that has it in its lines alone,
#            as the schema allows, is empty unless --textequiv-level line is given. What is passed over in the truth and
#            in the result alike leaves a character error rate of 0.
# Expected:  all text of the page, or a warning.
# Pagebeam:  names the cells of tables in the reading order, and gives all regions their text (pipelines/export/page_xml.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q dinglehopper==0.11.0

cat >"$folder/show.py" <<'PYTHON'
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

folder = Path(sys.argv[1])
COORDS = '<Coords points="0,0 9,0 9,9 0,9"/>'
TABLE = '<RegionRefIndexed index="1" regionRef="table"/>'
CELL = '<RegionRefIndexed index="0" regionRef="cell"/>'
CELLS = f'<OrderedGroupIndexed id="cells" index="1" regionRef="table">{CELL}</OrderedGroupIndexed>'


def region(name: str, text: str, of_region: bool) -> str:
    equiv = f"<TextEquiv><Unicode>{text}</Unicode></TextEquiv>"
    line = f'<TextLine id="{name}_line">{COORDS}{equiv}</TextLine>'
    return f'<TextRegion id="{name}">{COORDS}{line}{equiv if of_region else ""}</TextRegion>'


def page(cell: str, order: str, of_region: bool) -> str:
    return (
        '<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"><Metadata><Creator>x</Creator>'
        "<Created>2026-01-01T00:00:00</Created><LastChange>2026-01-01T00:00:00</LastChange></Metadata>"
        '<Page imageFilename="a.png" imageWidth="9" imageHeight="9"><ReadingOrder><OrderedGroup id="order">'
        f'<RegionRefIndexed index="0" regionRef="top"/>{order}</OrderedGroup></ReadingOrder>'
        f"{region('top', 'Prices', of_region)}"
        f'<TableRegion id="table">{COORDS}{region("cell", cell, of_region)}</TableRegion></Page></PcGts>'
    )


def show(name: str, *options: str, order: str, of_region: bool) -> None:
    for file, cell in (("truth.xml", "Salt 12.50"), ("result.xml", "Sand 88.88")):
        (folder / file).write_text(page(cell, order, of_region))
    command = [folder / "venv/bin/dinglehopper", *options, "truth.xml", "result.xml", "report"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    report = json.loads((folder / "report.json").read_text())
    print(f"{name}: {report['n_characters']} characters, CER {report['cer']:.2f}")


print(f"dinglehopper {version('dinglehopper')}")
show("the order names the table", order=TABLE, of_region=True)
show("the order names the cell", order=CELLS, of_region=True)
show("text in lines alone", order=CELLS, of_region=False)
show("the same, --textequiv-level line", "--textequiv-level", "line", order=CELLS, of_region=False)
PYTHON
cat >"$folder/expected" <<'TEXT'
dinglehopper 0.11.0
the order names the table: 6 characters, CER 0.00
the order names the cell: 17 characters, CER 0.35
text in lines alone: 0 characters, CER 0.00
the same, --textequiv-level line: 17 characters, CER 0.35
TEXT

"$folder/venv/bin/python" "$folder/show.py" "$folder" | tee "$folder/output"
diff "$folder/expected" "$folder/output"
