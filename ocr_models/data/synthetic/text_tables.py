"""Lists of the parts that synthetic text is composed of."""


def _tokens(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# The most frequent words of running text in the larger languages of the charset.
COMMON = _tokens(
    """
    the of and to in a is that for it as was with be by on not he his but at are this have had from or an they
    which one you were all her she there would their we him been has when who will no more if out so up said
    what its about than into them can only other time new some could these two may first then do any like my now
    over such our man me even most made after also did many off before must well back through years where much
    your way down should because long each just those people how too little state good very make world still see
    own work men day get here between both life being under three never know same last another while us might
    great go come since against right used take order data table figure page number name total date value
    section note using based results shown per type file set given case note high low part use form line test
    model system time all none yes no if else return import true false der die und das den von zu mit ist im für
    nicht ein eine auf auch als dem des sich wird bei sind nach über aus le la les de des et en un une du que
    est pour dans qui sur pas par plus avec au ce il sont été être à où même el los las y por con para una su al
    lo como más pero sus está sí entre también él años il di che è per non una sono del della con gli più alla
    nel anche come però perché città o os as um uma não em no na do da dos se com mais são à você já está het
    een van dat niet op te zijn voor met aan door werd och att det som på är av för med den till inte og i af w
    z na się nie do że jest po przez dla są być który i en els amb més
    """
)

# The parts before an apostrophe in French and Italian, and whole English words with one.
ELIDED = _tokens("l l l d d d qu qu n s c j m t jusqu lorsqu aujourd dell all nell un c")
CONTRACTIONS = _tokens(
    """
    doesn't don't isn't can't won't didn't couldn't aren't What's It's That's it's let's I'm I'll I've you're we'll
    they're there's who's o'clock O'Brien D'Angelo rock'n'roll '90s ma'am y'all
    """
)

ABBREVIATIONS = _tokens(
    """
    e.g. i.e. etc. et al. al., Fig. Figs. Eq. Eqs. Ref. Refs. Sec. Tab. No. Nos. vol. Vol. pp. p. Mr. Mrs. Dr.
    Prof. St. Inc. Ltd. Co. Corp. U.S. U.K. E.U. a.m. p.m. A.D. B.C. cf. vs. viz. ca. approx. dept. Dept. Jr.
    Sr. Ph.D. M.D. B.A. z.B. d.h. usw. bzw. Nr. Abb. S. Art. art. n° N° M. Mme ed. eds. Ed. trans. ibid. Ibid.
    op. cit. ISBN ISSN DOI PDF HTML USA NATO UNESCO GmbH S.A. e.V. App. Ch. ch. Def. Thm. Lemma Q.E.D. s.t.
    i.i.d. w.r.t. Max. Min. min. max. avg. incl. excl. tel. Tel. Fax fax Tel: Fax: Attn: Re: cc: P.O. Ave. Blvd.
    Rd. Apt. Mt. Ft. Sgt. Capt. Gen. Rev. Hon.
    """
)

MONTHS = _tokens(
    """
    January February March April May June July August September October November December Januar Februar März
    Mai Juni Juli Oktober Dezember janvier février mars avril juin juillet août septembre décembre enero junio
    agosto maggio Monday Tuesday Wednesday Thursday Friday Saturday Sunday
    """
)

UNITS = _tokens(
    """
    km m cm mm µm nm kg g mg µg ml l L dl s ms µs ns h min Hz kHz MHz GHz kB MB GB TB W kW MW V mV kV A mA Ω J
    kJ eV keV MeV GeV K °C °F Pa kPa bar dB dpi px pt em ° % ‰ m² m³ km/h m/s kWh mol mmol USD EUR GBP kcal cal
    lbs lb oz ft in. mi mph cm³ Gbit/s rpm ppm
    """
)

SINGLES = _tokens(
    r"""
    • • • • – – – — — * * + = & & / / | | · § ¶ † ‡ ° © ® ™ … . , : ; ! ? ( ) [ ] { } < > % # @ ~ ^ _ - - \ " '
    “ ” « » a I A B C D E F G H J K L M N O P R S T U V X Y Z b c d e f g h i j k m n p q r s t u v x y z i l l
    1 1 I I 0 O o é à è y 1 2 3 4 5 6 7 8 9 0 ½ ¼ ¾ × ÷ ± ¹ ² ³ -- --- ... >> << ** || // :: *** a) b) c) 1. 2.
    3. 4. 5. A. B. i. ii. (a) (b) (i)
    """
)

SYMBOL_CODE = _tokens(
    r"""
    -> => == != <= >= := += -= && || ++ -- :: // /* */ # #! $ ${ } { }; }, [] [i] () (); {} <> </ /> >>> ...
    <br> <div> </div> <a> % @ \n \ " ' : ; , ( ) [ ] i++ i=0; x=1 x, y, n) ~/ ./ ../ *args, **kwargs int char*
    const std::string #include <stdio.h> NULL null None 0; 1; [0] [1:] [-1] lambda def if(x) return; else: try:
    $1 $@ 2>&1 | > < & ^ !
    """
)

MATH = _tokens(
    """
    = + − < > × ± ÷ | / x y z n k i j t f(x) g(x) x+y 2x 3n 10³ x² y² n² (x,y) [0,1] (0,1) O(n) n+1 n-1 n−1 i=1
    x=0 p<0.05 p=0.01 R² log exp sin cos max min lim dx dt E=mc² a·b |x| x' y' f' {x} {0,1} x* -1 −1 1/2 1/n 2/3
    ~ ^ ∗ R1 H2O CO2 x1 x2 xi aij N=10 (1) (2) (A1)
    """
)

FUNCTIONS = _tokens("log exp sin cos tan ln max min lim arg det erf tr sup inf dim div grad Pr Var E")

ONSETS = (
    _tokens(
        """
    b c d f g h j k l m n p r s t v w z br ch cl cr dr fl fr gl gr pl pr qu sc sh sl sp st str th tr
    """
    )
    + ("",) * 4
)  # words may begin with a vowel

RIMES = _tokens(
    """
    a e i o u y an en in on un ar er ir or ur al el il ol at et it ot as es is os us ed ing ion ent ence ate
    able ment ness ly ight ound ain ead ee oo ou ack ell est ist ous ive age
    """
)
