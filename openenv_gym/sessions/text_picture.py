"""Texts drawn as pictures, for recordings of environments that show text.

A picture has the size of a terminal, whatever the text: a video has frames of one size. It is drawn
without a library, so it is the same to the bit wherever the environment runs.
"""

from __future__ import annotations

import base64
import zlib
from functools import cache

import numpy as np
from numpy.typing import NDArray

COLUMNS, ROWS = 80, 24
_WIDTH, _HEIGHT = 8, 16  # pixels of a character

_PAPER, _INK = 16, 224  # shades of gray

_CHARACTERS = [*range(0x20, 0x7F), *range(0xA0, 0x100)]
_FONT = (  # DejaVu Sans Mono, 13 pixels, a bit for each: deflated
    "c-"
    "nndOKaR#6qaOlavcUE22n&%CbF!B7Nv+b42n@yNi%jNXu}v{D8__&6m2?`p^M_hcm{XXRmmU7B8x2h0}2Ubm7f#HzB"
    "oPi>OQ5k2aoMfNB2DLd3>X3U9pJ3ABsZ|Nj(^RxeJ2Zuq^2VlvZVYuwSJJ5j=bGV&T^N`#q|6Juj+$I9WWF><e>!gc"
    "^qknHWd-KP;BzQTtWu{*2TBZxtIv9ETmi5_i&a9Qu!8ng}^y-piW!{5-Gn+;`d0#y?6aPRF`#^c`=<aIWvUd-"
    "|B^dw1^*{9<Pq6mPR^v#0ChgyP|0_I#P=M?;F?O^855o920*F7r9Fmn`yp`B*O!HFO?7$J~N`uwEbNQm#Al!zGLF+="
    "(-OH4_ub^&NhD_@t_;CtlP<h-"
    "};TeTazV1M!iM$Op?I%V$&MSc(mE4odQA;Y>O|&U1bqAKu|#%wE$E7PIG?L?*1H#iX3B%gLl**-"
    ">Hsmdo?=^Gev8&(F@Plauk7+4D)fyxv;~X1o>gQT@@dXK?)%a%B2+p3PFJ{<kz<OUefe)8|Xy_u)=i3*X$_TwGk#b<"
    "N`SZ5P=ipT+z8Bn)MHyS*M1ESfd>xfU0iK<0Ut<-quuhSa?v^unxg@?QJAe8OtfdF=W|TAUv9+uhVfQPdkr4-"
    "e`686YXqr(B=Z#Wq_s{oBWtRPG0Eki36vU=!H><)XmSL<^s_RDUGrv~J#S8lZW9&9CD?w0}i}W7$595B!VyqWSR_VD"
    "Yh$PQLN5i1S637<@i0YuoZqywUq3xDJ9unqSfYLBMexIF1w4;(b2|Y^bOe(GE3C$IG^&{xjmRFSfPlKyn{_f@Y$kk5"
    "0A!5wZ<<g)A$6Hl0qN#T3K-_O9UbkBBdUeE4-"
    "jzkZMxGPT4FCfV%A?|*vOH?JBxX?stKm#<#E6zeWAhJLE0GUbd`tI<F{v(xqe%qA(`zW)0!ZZGK&K@d3Y{2_epmK}g"
    ";lMf}PV@eoV9gj`DceH=LyS~1@{{@!MkdG{MLZQ&eRi@8}!I1MWSEJF2(d`UM@mu`P?At?A!b79iCmVH*A|&fseWO_"
    "hD-"
    "@<(+3#ixBU{DCU$^+6rFUVkkq0T?UnzWFcv@cl@n@Sakm+cirSb!6VJB$uhpl2bukZtEVJmF$N7&&L%vT>7UqOBfKf"
    "wJc{9v{)+>e6cyviqbhhLySV7>!3FAt8!C)L?}@kXQm6uvN982qVx(!!8`n=djTEWu~-"
    "1h(b$^0X)}HH~K|_B*zqV5oqCAAY6cP~itMOo|?4H5hEC(_h+rf$LBF%lrUe096eB6<n%(g3rtRfa6ziRH`^s`6O~<"
    "Q`!HJpTZAKd_oWQ72L$9oL6wr;TIVGPx1yx>!%mLaykWn3SWRf1%p2Y2U_=ii7zC+ZdxFe`Q%^t+($D"
)


@cache
def _glyphs() -> NDArray[np.bool_]:
    """Return the characters of ``_CHARACTERS``, and a box for all others."""
    rows = np.frombuffer(zlib.decompress(base64.b85decode(_FONT)), np.uint8)
    glyphs = np.unpackbits(rows).reshape(-1, _HEIGHT, _WIDTH).astype(np.bool_)
    box = np.zeros((1, _HEIGHT, _WIDTH), np.bool_)
    box[:, 2:13, 1:7] = True
    box[:, 3:12, 2:6] = False
    return np.concatenate([glyphs, box])


_PLACES = {chr(code): place for place, code in enumerate(_CHARACTERS)}


def draw(text: str) -> NDArray[np.uint8]:
    """Return a picture of the end of a text, (384, 640, 3) uint8.

    Lines are broken after 80 characters. Characters beyond Latin-1 are boxes.
    """
    lines: list[str] = []
    for line in text.expandtabs(4).splitlines():
        lines += [line[i : i + COLUMNS] for i in range(0, len(line), COLUMNS)] or [""]
    places = np.zeros((ROWS, COLUMNS), np.intp)  # blanks
    for row, line in enumerate(lines[-ROWS:]):
        places[row, : len(line)] = [_PLACES.get(letter, len(_PLACES)) for letter in line]
    bits = _glyphs()[places].transpose(0, 2, 1, 3).reshape(ROWS * _HEIGHT, COLUMNS * _WIDTH)
    gray = np.where(bits, np.uint8(_INK), np.uint8(_PAPER))
    return np.repeat(gray[:, :, None], 3, axis=2)
