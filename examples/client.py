"""Ask a running `feedseg serve` for a mask: python examples/client.py cat.jpg "cat, sofa" labels.png [address]."""

import sys

import httpx

picture, words, out, *address = sys.argv[1:]
with open(picture, "rb") as file:  # noqa: PTH123 -- ten lines
    found = httpx.post(
        f"{address[0] if address else 'http://127.0.0.1:8000'}/v1/segment",
        files={"image": file},
        data={"words": words},
        headers={"Accept": "image/png"},
        timeout=60,
    )
found.raise_for_status()
with open(out, "wb") as file:  # noqa: PTH123
    file.write(found.content)
