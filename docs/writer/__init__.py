"""The pages that are made from declarations in the code, in seconds: name in docs/ -> what writes it.

Nothing here is measured; what takes minutes is in `measurements/` and `benchmarks/`, on pages of their own. Nothing in
`sos_gym` imports this.
"""

from collections.abc import Callable

from writer import environments, importing, learned, policies, recordings, workloads

PAGES: dict[str, Callable[[], str]] = {
    "environments.md": environments.page,
    "importing.md": importing.page,
    "learned.md": learned.page,
    "policies.md": policies.page,
    "recordings.md": recordings.page,
    "workloads.md": workloads.page,
}
