"""The instructions whose time does not depend on their operands, on the processors that are in
use: integer and vector arithmetic without division, and moves."""

_CONDITIONS = (
    *("a", "ae", "b", "be", "e", "g", "ge", "l", "le", "ne", "no", "np", "ns", "o", "p", "s"),
)

_INTEGER = (
    "adc add and bswap cdq cdqe cmp cqo cwde dec imul inc lea mov movabs movsx movsxd movzx mul "
    "neg not or pop push rol ror sar sbb shl shr shld shrd sub test xchg xor"
)

_VECTOR = (
    "movaps movapd movd movdqa movdqu movq movups movupd movhps movlps movss movsd "
    "andps andpd andnps andnpd orps orpd xorps xorpd shufps shufpd unpcklps unpcklpd unpckhpd "
    "packssdw packsswb packuswb paddb paddd paddq paddw pand pandn pcmpeqb pcmpeqd pcmpeqw "
    "pcmpgtb pcmpgtd pcmpgtw pextrw pinsrw pmaxub pminub pmaxsw pminsw pmuludq pmullw por pshufd "
    "pshufhw pshuflw pslld pslldq psllq psllw psrad psraw psrld psrldq psrlq psrlw psubb psubd "
    "psubq psubw psubusb paddusb punpckhbw punpckhdq punpckhqdq punpckhwd punpcklbw punpckldq "
    "punpcklqdq punpcklwd pxor"
)

_FLOW = "call jmp ret nop endbr64 ud2"

ON_ANY_OPERAND = frozenset(
    [
        *_INTEGER.split(),
        *_VECTOR.split(),
        *_FLOW.split(),
        *(f"j{condition}" for condition in _CONDITIONS),
        *(f"set{condition}" for condition in _CONDITIONS),
        *(f"cmov{condition}" for condition in _CONDITIONS),
    ]
)
"""Those that are allowed on secrets. Where a jump leads is checked by itself."""

ON_PUBLIC_OPERANDS = frozenset(["div", "idiv"])
"""Those that are allowed if every register that they read is public."""

IS_NOT_AN_ACCESS = frozenset(["lea", "nop"])
"""Those whose memory operand is not accessed."""
