"""``pagebeam report``: a folder of HTML about an output folder, which a browser opens from disk."""
