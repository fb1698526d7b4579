"""Linux, as it comes: its scheduler on the cores and its page reclaim on the frames. The line to beat."""

from sos_gym.policy.lists.mglru import MGLRU
from sos_gym.policy.pairing import named_pair
from sos_gym.policy.shares.linux_eevdf import LINUX_EEVDF

LINUX = named_pair(
    "linux",
    LINUX_EEVDF,
    MGLRU,
    aliases=("stock",),
    summary="Linux 6.12 by its own parameters: EEVDF on cores, multi-generation LRU on frames",
    not_to_be_confused="its halves, `linux_eevdf` and `mglru`, which decide on both resources",
)
