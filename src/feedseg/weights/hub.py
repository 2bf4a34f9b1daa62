"""Models on the Hugging Face hub and in its cache."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from feedseg.errors import FeedsegError, first_line
from feedseg.files import write_atomically
from feedseg.weights.layout import CONFIGS, INDEX, MANIFEST, TOKENIZER, WEIGHTS, shards_of, weight_names, weights_in

_OF_MANIFESTS = (".json", ".safetensors", ".txt")  # what a repository with a manifest is fetched for


def cached_revision(repository: str, revision: str | None = None) -> str | None:
    """The commit of a hub model if its configuration and weights are all in the cache, else None; makes no request."""
    folder = cached_snapshot(repository, revision or "main")
    return folder.name if is_complete(folder, tokenizer=False) else None


def snapshot_around(folder: Path) -> tuple[str, str] | None:
    """Repository and commit of a folder in a hub cache, which has it in models--owner--name/snapshots/commit."""
    folder = folder.resolve()
    for inner in (folder, *folder.parents):
        home = inner.parent.parent
        if inner.parent.name == "snapshots" and home.name.startswith("models--"):
            return home.name.removeprefix("models--").replace("--", "/", 1), inner.name
    return None


def cached_snapshot(repository: str, revision: str) -> Path:
    """Where the hub's cache has a revision, if it does."""
    from huggingface_hub.constants import HF_HUB_CACHE

    home = Path(HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}"
    try:
        commit = (home / "refs" / revision).read_text(encoding="utf-8").strip()
    except OSError:
        commit = revision
    return home / "snapshots" / commit


def is_complete(folder: Path, tokenizer: bool) -> bool:
    """Whether a snapshot in the cache has all that is needed; a broken link to a missing file counts as missing."""

    def has(*names: str) -> bool:
        return all((folder / name).is_file() for name in names)

    if has(MANIFEST):  # fetched last
        return True
    try:
        weights = weights_in(folder)
    except FeedsegError:
        return False
    configured = has("config.json") or has("open_clip_config.json")
    readable = not tokenizer or has("tokenizer.json") or has("vocab.json", "merges.txt")
    return bool(weights) and configured and readable


def fetch(repository: str, revision: str, tokenizer: bool) -> Path:
    """Bring a revision into the cache, all of it from the one commit that it is now."""
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.constants import HF_HUB_ETAG_TIMEOUT

    listing = HfApi().model_info(repository, revision=revision, timeout=HF_HUB_ETAG_TIMEOUT)
    names = {sibling.rfilename for sibling in listing.siblings or ()}
    if names.isdisjoint({*WEIGHTS, MANIFEST}):
        has = ", ".join(sorted(names)[:12]) or "nothing"
        raise FeedsegError(f"{repository} has no weights that can be used ({', '.join(WEIGHTS)}); it has {has}")

    def file(name: str) -> Path:
        return Path(hf_hub_download(repository, name, revision=listing.sha or revision))

    # Weights last: whenever this ends early, a snapshot that has them has all the rest. The same for a manifest.
    if MANIFEST in names:
        for name in sorted(names - {MANIFEST}):
            if name.endswith(_OF_MANIFESTS) or name.rpartition("/")[2] in ("LICENSE", "NOTICE"):
                file(name)
        return _recorded(file(MANIFEST).parent, revision)
    configs = [file(name) for name in (*CONFIGS, *(TOKENIZER if tokenizer else ())) if name in names]
    order = weight_names(configs[0].parent) if configs else WEIGHTS
    weights = next(name for name in order if name in names)
    path = file(weights)
    for shard in shards_of(path) if weights.endswith(INDEX) else ():
        file(shard)
    return _recorded(path.parent, revision)


def _recorded(folder: Path, revision: str) -> Path:
    """The snapshot of a commit, which from now on is what a branch or tag stands for."""
    # The hub's library records a branch's commit only if asked by branch, which may have moved on since the listing. So
    # it is done here, in its way, once the commit is complete; where that cannot be written, the files are still good.
    if revision != folder.name:
        with suppress(FeedsegError), write_atomically(folder.parent.parent / "refs" / revision) as temporary:
            temporary.write_text(folder.name, encoding="utf-8")
    return folder


def why_not_fetched(error: BaseException, source: str, repository: str, revision: str) -> str:
    """What went wrong while fetching, and what to do about it, in one line."""
    from huggingface_hub import constants, errors

    if isinstance(error, errors.LocalEntryNotFoundError) and error.__cause__:
        error = error.__cause__  # the hub's library says this of any failure while it looks for a file
    access = "log in with `hf auth login` or set HF_TOKEN"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{repository} has no revision {revision!r}: give a branch, a tag or a commit"
    if isinstance(error, errors.GatedRepoError):
        return f"{repository} is gated: accept its terms on its page of the hub, then {access}"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"{repository} is no folder, and no model on the hub open to you: check the name; if private, {access}"
    if isinstance(error, errors.HfHubHTTPError) and error.response.status_code in (401, 403):
        return f"the hub refuses {repository} ({first_line(error)}): {access}"
    if isinstance(error, OSError) and error.errno is not None:
        where = f"{constants.HF_HUB_CACHE} ({error.strerror})"
        return f"cannot keep {source} in {where}: make room, or set HF_HOME to another folder"
    return (
        f"{source} is not complete on this machine and could not be fetched ({first_line(error)}): "
        "connect and start again, give a folder with a copy (--model FOLDER, --proxy FOLDER, "
        "--refiner region-vote:FOLDER), "
        "or set HF_HOME to a cache that has it"
    )
