"""``pagebeam export``: rows as searchable PDFs, hOCR, ALTO, PAGE XML, tables and text."""
