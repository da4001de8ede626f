// SPDX-License-Identifier: Apache-2.0
#include "chunker/language_words.h"

namespace penstock::internal {

// Order of the fields: title, number, month, word, starter, calendar, frequent, speech.
const LanguageWords kWesternWords[] = {
    {Language::kEnglish,
     "mr mrs ms messrs mx dr drs prof profs assoc asst rev revd fr hon rt gov lt ltgov sgt cpl pvt "
     "capt cmdr cmdt maj col gen adm brig sen rep reps sens pres supt det insp sr st ste mt ft "
     "fort "
     "vs v cf viz e.g i.e eg ie ca esp rel attys atty amb msgr pfc cdr hr ph",
     "no nos nr n° rs p pp pg pgs par para paras ch chap chaps sec secs sect art arts vol vols fig "
     "figs "
     "eq eqs eqn eqns tab ex exs app ed n nn lin ll ver rev.no op opp ref refs col.no approx ext",
     "jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat sun",
     "etc co corp inc ltd llc plc bros jr esq dept div univ inst assn ave blvd rd hwy sq "
     "pl ct ln apt bldg est min max avg hrs mins mos yr yrs wk wks oz lb lbs "
     "sq.ft a.m p.m am pm al cit et.al ibid op.cit loc.cit ph.d m.d b.a m.a b.s m.s j.d d.d.s "
     "u.s u.k u.n u.s.a e.u d.c l.a n.y b.c a.d n.b misc orig publ trans eds illus repr abr "
     "ala ariz ark calif colo conn del fla ill ind kan kans ky la md mich minn miss mo mont neb "
     "nebr nev okla ore pa penn tenn tex va vt wash wis wisc wyo ont que sask alta mass can aus "
     "cal cont doz gal mfg mgr mtg natl intl int'l nat'l dist exch exp mph tel mil incl excl temp "
     "wt yd yds vet cent govt pop sp spp subsp var cst gr sci techn tech hist lib lit gmbh s.a",
     "the this that these those it he she we they you i there here what when where who why how "
     "in on at for but and so if as after before while however although although because since "
     "his her its our their my your a an some many most all no not now then thus therefore "
     "moreover furthermore meanwhile finally also once today yesterday tomorrow perhaps maybe did "
     "do does is are was were have has had can could will would should may might let please yes "
     "another each every both one two three to from with by about during despite instead its'",
     "january february march april may june july august september october november december monday "
     "tuesday wednesday thursday friday saturday sunday est edt pst pdt cst gmt utc",
     "the of and to is was that with for are his this have from they which be it by as at",
     "said says asked replied cried shouted whispered answered added exclaimed muttered continued "
     "remarked told thought yelled called screamed murmured wrote explained"},
    {Language::kGerman,
     "dr prof hr fr frl hrn dipl ing dipl.-ing mag st z.b z.t z.zt z bzw bspw ca d.h d.i dh evtl "
     "gegr geb gest ggf gem i.d.r i.a i.e.s i.s.v insb insbes lt m.a.w o.g s.o s.u sog u.a "
     "u.u v.a v.d vgl zzgl einschl inkl exkl bzgl betr allg amtl bes "
     "ehem eigtl entspr erg ev frz griech lat jap engl dt ital span russ schweiz österr röm "
     "kath hl hrsg jew kgl komm.-rat med phil jur rer nat habil hon oec mind max min möglichst "
     "nordd süddt p.a scil sen stv südl nördl östl westl urspr vermutl wiss zus zw soz ges "
     "u d i v o s m n.n verf vs priv.-doz univ.-prof rd ungef sogen",
     "nr nrn s bd bde abb abs art kap tab anm ziff tel fig bl sp vers aufl jg heft lfg",
     "jan jän feb febr mrz apr jun jul aug sep sept okt nov dez mo di mi do fr sa so",
     "usw usf etc u.dgl dgl o.ä u.ä u.s.w u.s.f str pl co inc gmbh ag kg jr "
     "jh jhd jhdt std sek mio mrd tsd mill stk v.chr n.chr chr a.d a.m ff f ebd a.a.o "
     "forts gez ps mwst b.a m.a m.sc b.sc usa z.hd u.s v.u.z u.z",
     "der die das den dem des ein eine einen er sie es wir ihr ich man dies diese dieser dieses "
     "und aber oder doch denn wenn als da dann so auch nach bei mit in im am an auf aus für von "
     "zu zum zur seit vor über unter durch wie was wer wo warum hier dort heute gestern morgen "
     "nun jetzt schon noch nur nicht kein keine sein seine ihre mein meine unser unsere damit "
     "danach dabei dazu deshalb daher trotzdem jedoch außerdem zudem allerdings obwohl weil "
     "während nachdem bevor viele alle einige beide jeder mehr bitte ja nein",
     "januar jänner februar märz april mai juni juli august september oktober november dezember "
     "montag dienstag mittwoch donnerstag freitag samstag sonntag jahrhundert jahrhunderts "
     "jahrhunderte weltkrieg weltkriegs auflage kapitel platz klasse",
     "der die und ist das nicht den mit von ein eine zu auf für im dem sich auch werden wird sind",
     "sagte sagt fragte antwortete rief meinte erklärte flüsterte schrie dachte erwiderte"},
    {Language::kFrench,
     "m mm mme mmes mlle mlles dr drs pr prof mgr me st ste sts stes cf c.-à-d c.à.d p.ex ex env "
     "gal col cap lt sgt cdt hon vs éd dir coll trad r.p v",
     "n no nos p pp art chap fig vol t tél tel al ch sect réf par §",
     "janv févr avr juil juill sept oct nov déc lun mar mer jeu ven sam dim",
     "etc cie sté ets av bd boul bld pl imm app appt bât inc ltd s.a s.a.r.l sarl s.n.c apr "
     "av.j.-c "
     "j.-c ap.j.-c c.-a-d i.e e.g ibid id op.cit loc.cit min max sec h hab km m.e.p p.s p.-s "
     "r.-v r.s.v.p suiv sq tom a.d d.c u.s a.m p.m n.b obs dép dept",
     "le la les l un une des ce cet cette ces il elle ils elles nous vous on je tu et mais ou donc "
     "or ni car si quand lorsque comme puis alors ainsi cependant toutefois pourtant après avant "
     "depuis pendant dans en à au aux de du par pour sur sous avec sans chez c'est ceci cela ça "
     "qui que quoi où comment pourquoi quel quelle mon ma mes son sa ses leur leurs notre nos "
     "votre tout tous toute toutes plusieurs certains aujourd'hui hier demain ici oui non",
     "janvier février mars avril mai juin juillet août septembre octobre novembre décembre lundi "
     "mardi mercredi jeudi vendredi samedi dimanche",
     "le la les des et est une dans que pour qui sur pas au du par plus sont avec ce il",
     "dit demanda répondit cria murmura ajouta déclara"},
    {Language::kSpanish,
     "sr sra sres sras srta srtas dr dra dres dras d dña prof profa ing lic arq gral gen cnel cap "
     "tte sto sta san mons fr rev hno hna excmo excma ilmo ilma p.ej ej p.e cf cfr vs aprox av "
     "avda avd c.e ud uds vd vds ntra pbro alm cmte",
     "n no nº núm núms nro pág págs p pp art arts cap caps fig figs vol vols t tel tels tfno tlf "
     "apdo ap",
     "ene febr feb mar abr may jun jul ago agto sept sep oct nov dic lun mié jue vie sáb dom",
     "etc cía cia s.a s.l s.a.u inc ltd co jr ee.uu eeuu ee uu u.s u.s.a a.c d.c a.m p.m a.de.c "
     "adm admón bco depto dpto dto ed edo entlo esq gob hnos izq dcha kg km min máx mín seg "
     "tít trad univ q.e.p.d r.d s.e.u.o s.s v.b vto vta ibíd ibid op.cit loc.cit ff.cc rr.hh jj.oo "
     "cc.aa aa.vv vv.aa pte sig ss",
     "el la los las un una unos unas lo él ella ellos ellas nosotros usted ustedes yo tú y o pero "
     "si cuando como donde porque aunque sin con en a al de del por para sobre entre desde hasta "
     "tras durante según este esta estos estas ese esa eso esto aquel aquella su sus mi mis "
     "nuestro nuestra qué quién cómo cuándo dónde no sí también además entonces luego después "
     "antes hoy ayer mañana ahora aquí allí muchos todos todo algunas algunos hay es son fue era",
     "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre "
     "lunes martes miércoles jueves viernes sábado domingo",
     "el la los las de que en y un una por con para del se es no su como más",
     "dijo preguntó respondió gritó exclamó contestó añadió"},
    {Language::kItalian,
     "dir amm psicol presid segr resp coord ispett isp archit chim fis biol econ farm giorn magg "
     "brig "
     "mar.llo m.llo v.pres on.le onn sig sigg sig.ra sig.na sig.re sigra signa dott dott.ssa "
     "dottssa dottor prof prof.ssa profssa "
     "ing avv arch geom rag on sen gen col cap ten serg mons card s ss dr d.ssa egr gent gent.mo "
     "gent.ma spett preg preg.mo ill ill.mo rev mr mrs ms p.es es ad.es cfr vs c.a ca cd c.d mag "
     "com.te comm cav uff f.lli a.es sost v.o",
     "n nn nr num p pp pag pagg art artt cap capp fig figg vol voll tab tav tel c par § l.n "
     "sez all d.lgs d.l d.p.r d.m reg",
     "genn feb febb mar apr giu giugn lug lugl ago sett set ott nov dic lun "
     "mart merc mer giov gio ven sab dom",
     "ecc etc co s.p.a spa s.r.l srl s.n.c s.a.s inc ltd jr a.c d.c a.m p.m u.s.a u.s ibid op.cit "
     "loc.cit min max sec km kg ed trad univ v.le p.zza p.za c.so l.go int fraz prov "
     "ass ist dip s.l s.d p.s n.b n.d.r n.d.a ndr sgg segg seg a.a aa.vv vv p.v p.t "
     "avv.ti ric.to att.ne c.m c.v o.d.g",
     "il lo la i gli le un uno una l l' questo questa questi queste quello quella egli ella essi "
     "noi voi io tu lui lei loro e ed ma o se quando come dove perché anche poi allora così "
     "inoltre tuttavia dopo prima durante in nel nella a al alla ai di del della da dal per con "
     "su sul tra fra senza che chi cosa quale quanto non sì no oggi ieri domani ora qui mio mia "
     "suo sua nostro vostro tutti tutto molti alcuni è sono era c'è",
     "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre "
     "dicembre "
     "lunedì martedì mercoledì giovedì venerdì sabato domenica",
     "il la di che è e per un una non del della sono con gli dei nel si come anche",
     "disse chiese rispose gridò esclamò aggiunse"},
    {Language::kPortuguese,
     "sr sra srs sras srta dr dra drs dras prof profa profs eng engª arq gen cel cap ten maj sgt d "
     "dª exmo exma ilmo ilma rev pe fr sto sta v.exa v.s p.ex ex cf cfr vs aprox av r tv trav",
     "n nº no núm pág págs p pp art arts cap caps fig figs vol vols t tel tels § par",
     "jan fev mar abr mai jun jul ago set out nov dez seg ter qua qui sex sáb dom",
     "etc cia ltda s.a s/a inc ltd jr a.c d.c a.m p.m e.u.a eua u.s ed trad univ min máx mín "
     "km kg depto dept esc ibid op.cit loc.cit p.s n.b obs séc sécs hab apto ap bl cx "
     "gov mun org",
     "o a os as um uma uns umas ele ela eles elas nós você vocês eu tu e ou mas se quando como "
     "onde porque embora sem com em no na nos nas de do da dos das por pelo pela para sobre entre "
     "desde até após durante segundo este esta estes esse essa isso isto aquele seu sua seus meu "
     "minha nosso que quem qual não sim também além então depois antes hoje ontem amanhã agora "
     "aqui muitos todos alguns há é são foi era",
     "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
     "o a de que e do da em um para é com não uma os no se na por mais",
     "disse perguntou respondeu gritou exclamou acrescentou"},
    {Language::kDutch,
     "dhr mevr mw mej dr drs ir ing mr prof ds hr st b.v bijv bv nl t.a.v t.b.v t.o.v t.w i.p.v "
     "m.b.v m.a.w m.i m.n n.a.v o.a o.b.v o.l.v d.w.z d.m.v aanw vnw bez "
     "betr vgl zgn z.g ca circa incl excl resp evt gem ong ned fr lat eng dui jhr "
     "kapt lt gen kol v.t h d",
     "nr nrs blz p pp art afb fig hfst deel dl tab vol jg tel par",
     "jan feb febr mrt apr jun jul aug sep sept okt nov dec ma di wo do vr za zo",
     "enz etc e.d e.a n.v co inc ltd jr sr str pl a.u.b s.v.p v.chr n.chr a.d a.m p.m u.s "
     "e.v ev km kg min max sec mnd mld mln afd bijl ibid op.cit p.s n.b red uitg vert adj bijw "
     "ww znw mv zn",
     "de het een hij zij ze wij we ik jij je u er dit dat deze die en maar of als toen dan want "
     "omdat hoewel nadat voordat terwijl in op aan bij met van voor naar uit over onder na sinds "
     "door wat wie waar waarom hoe hier daar nu ook niet geen zijn haar mijn ons onze hun alle "
     "veel sommige elke vandaag gisteren morgen ja nee is was",
     "januari februari maart april mei juni juli augustus september oktober november december",
     "de het een en van is dat op te in zijn met voor niet aan er die om ook",
     "zei vroeg antwoordde riep"},
    {Language::kPolish,
     "dr hab prof inż mgr lek lic ks bp abp kard św śp p pp płk gen kpt por ppłk sierż st np m.in "
     "tzw tzn tj al ul pl os im jw zob ang niem franc łac ros wł hiszp pol red oprac "
     "tłum wyd zw ok ob gł dyr prez przew z.d wg ww n.p m n",
     "nr art ust pkt s str t tom rozdz rys ryc tab poz lit par § zał tel zesz",
     "sty lut mar kwi maj cze lip sie wrz paź lis gru pon wt śr czw pt sob niedz",
     "itd itp etc r w wiek ur zm godz min sek mies tys mln mld zł gr km kg cm pow woj gm dz "
     "sp s.a z o.o sp.z.o.o inc ltd jr n.e a.m p.m ds dn dot cd cdn bm br ub m.st",
     "w na z ze i a o u do od po za przy przez dla bez pod nad ten ta to te on ona ono oni my wy "
     "ja ty jest są był była było jak gdy kiedy gdzie co kto dlaczego czy że ale lecz oraz więc "
     "jednak potem później wtedy dziś dzisiaj wczoraj jutro tutaj tam nie tak wszystko wszyscy "
     "jego jej ich nasz mój",
     "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada "
     "grudnia wieku roku",
     "nie się na jest do że to jak co po ale za od tak przez dla jego ich czy być",
     "powiedział powiedziała zapytał odpowiedział krzyknął"},
    {Language::kCzech,
     "p pí sl mudr judr ing mgr bc phdr rndr doc prof dr gen plk kpt npor sv tzv tzn "
     "tj např mj resp popř příp cca angl něm fr lat rus ev srov n.m arch",
     "č čl čís s str odst písm obr tab kap roč tel par §",
     "led ún bř dub květ čvn čvc srp zář říj list pros",
     "atd apod aj hod min sek tis mil mld kč km kg s.r.o a.s spol inc ltd ml st př.n.l n.l "
     "př r ul nám tř a.m p.m csc drsc zvl vč max",
     "v ve na z ze s se k ke o u do od po za při pro bez pod nad ten ta to ty ti on ona ono oni my "
     "vy já jsem je jsou byl byla bylo jak když kde co kdo proč že ale nebo a i tak proto však "
     "potom pak dnes včera zítra tady tam ne ano všechno jeho její jejich",
     "ledna února března dubna května června července srpna září října listopadu prosince století",
     "je na se že to do ve pro jako jsou ale by jak za který která", "řekl řekla zeptal odpověděl"},
    {Language::kSlovak,
     "p pí sl mudr judr ing mgr bc phdr rndr doc prof dr gen plk kpt npor sv tzv tzn t.j tj napr "
     "resp príp popr cca angl nem fr lat rus pozn arch",
     "č čl čís s str odst písm obr tab kap roč tel par § zv",
     "jan feb mar apr máj jún júl aug sep okt nov dec",
     "atď apod a.i hod min sek tis mil mld km kg s.r.o a.s spol.s.r.o spol inc ltd ml st "
     "pr.n.l n.l r ul nám a.m p.m csc drsc o.i i vs pr.kr stor",
     "v vo na z zo s so k ku o u do od po za pri pre bez pod nad ten tá to tí on ona ono oni my vy "
     "ja som je sú bol bola bolo ako keď kde čo kto prečo že ale alebo a aj tak preto však potom "
     "dnes včera zajtra tu tam nie áno všetko jeho jej ich",
     "januára februára marca apríla mája júna júla augusta septembra októbra novembra decembra "
     "storočia storočí",
     "je na sa že to do vo pre ako sú ale by za ktorý ktorá alebo",
     "povedal povedala spýtal odpovedal"},
    {Language::kDanish,
     "hr fr frk dr prof cand.mag cand.jur cand stud fhv sct skt ca f.eks bl.a dvs d.v.s evt "
     "eks inkl ekskl jf jvf kgl kl mht pga p.g.a pr s.k såk ang vedr tlf hhv gl gml "
     "ing tidl iflg if dr.med med jur phil",
     "nr s art kap fig stk tab bd årg pkt",
     "jan feb febr mar apr jun jul aug sep sept okt nov dec man tir ons tor fre lør søn",
     "osv etc m.m m.v mv m.fl o.l o.a o.s.v aps a/s inc ltd jr sr f.kr e.kr fkr ekr kr mio "
     "mia min sek km kg max mdr d.d a.m p.m p.t th tv st u.s d.å s.u",
     "den det de en et han hun vi i jeg du man der her dette denne disse og men eller for så hvis "
     "når da fordi efter før mens på ved med af til fra om under over siden hvad hvem hvor hvorfor "
     "hvordan nu også ikke ingen sin hans hendes min vores deres alle mange nogle hver dag ja nej "
     "er var har",
     "januar februar marts april maj juni juli august september oktober november december "
     "århundrede",
     "og er det at en den til af for på de med der ikke som har et om",
     "sagde spurgte svarede råbte"},
    {Language::kSwedish,
     "hr fr dr prof doc st s:t s:ta ca t.ex dvs d.v.s bl.a resp ev f.d jfr jmf kl inkl exkl ang "
     "enl p.g.a pga m.h.a s.k tel t.f tf äv övers",
     "nr s sid art kap fig tab bd årg § p",
     "jan feb febr apr jun jul aug sep sept okt nov dec mån tis ons tors tor fre lör sön",
     "osv etc m.m m.fl mm mfl o.d o.dyl o.s.v ab inc ltd jr sr f.kr e.kr kr milj mdr min sek km kg "
     "max a.m p.m forts f.n n.b p.s u.s",
     "den det de en ett han hon vi ni jag du man där här detta denna dessa och men eller för så om "
     "när då eftersom efter innan medan i på vid med av till från under över sedan vad vem var "
     "varför hur nu också inte ingen sin hans hennes min vår deras alla många några varje idag "
     "igår ja nej är var har",
     "januari februari mars april maj juni juli augusti september oktober november december",
     "och är det att en den till av för på de med som inte har ett om i",
     "sa sade frågade svarade ropade"},
    {Language::kNorwegian,
     "hr fr dr prof ca f.eks bl.a dvs d.v.s ev evt jf kl inkl ekskl ang vedr tlf tidl iht mht pga "
     "st fhv kgl iflg",
     "nr s art kap fig pkt tab bd årg",
     "jan feb mar apr jun jul aug sep sept okt nov des man tir ons tor fre lør søn",
     "osv etc m.m mv m.v m.fl o.l o.a as inc ltd jr sr f.kr e.kr kr mill mrd min sek km kg a.m p.m "
     "d.d p.t u.s",
     "den det de en et han hun vi i jeg du man der her dette denne disse og men eller for så hvis "
     "når da fordi etter før mens på ved med av til fra om under over siden hva hvem hvor hvorfor "
     "hvordan nå også ikke ingen sin hans hennes min vår deres alle mange noen hver ja nei er var",
     "januar februar mars april mai juni juli august september oktober november desember",
     "og er det at en den til av for på de med som ikke har et om jeg", "sa spurte svarte ropte"},
    {Language::kFinnish,
     "hra rva nti tri prof dos toht fil maist dipl ins kenr ev esim ts ns ks vrt n huom "
     "k o",
     "nro n:o s ss kuva luku art puh §",
     "tammik helmik maalisk huhtik toukok kesäk heinäk elok syysk lokak marrask jouluk",
     "jne yms ym ynnä mm oy ab ky inc ltd jr eaa jaa eKr jKr ekr jkr klo milj mrd min sek km "
     "kg tms em po ko so synt kuol alk",
     "se ne hän he me te minä sinä tämä nämä tuo nuo ja mutta tai vai kun jos koska vaikka sitten "
     "silti nyt täällä siellä mikä kuka missä miksi miten ei kyllä myös kaikki monet on oli ovat "
     "tänään eilen huomenna",
     "tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesäkuuta heinäkuuta elokuuta "
     "syyskuuta lokakuuta marraskuuta joulukuuta",
     "ja on ei se että oli hän mutta ovat kun myös tai joka", "sanoi kysyi vastasi huusi"},
    {Language::kHungarian, "dr ifj id özv prof ún pl kb ill vö szül sz st gr br ált",
     "old o.n tel bek ábra köt", "jan febr márc ápr máj jún júl aug szept okt nov dec",
     "stb kft rt nyrt zrt bt inc ltd jr i.e i.sz u.i ui m min mp km kg e.e",
     "a az egy ez azok ezek ő ők én te mi ti és de vagy ha amikor mert bár hogy aki ami hol miért "
     "hogyan ki most itt ott nem igen is minden sok ma tegnap holnap volt van",
     "január február március április május június július augusztus szeptember október november "
     "december század századi",
     "a az és hogy nem is egy van volt meg de ez csak", "mondta kérdezte válaszolta"},
    {Language::kRomanian,
     "dl dlui dna d-l d-na dr prof ing av gen col lt cap sf ex p.ex cca conf acad",
     "nr art p pag pp vol fig alin tel lit", "ian feb mar apr iun iul aug sept oct noi dec",
     "etc ș.a ş.a s.a srl s.r.l inc ltd jr î.hr d.hr e.n a.m p.m str bd jud loc mun min sec "
     "km kg mil mld",
     "el ea ei ele noi voi eu tu un o acest această acești aceste acel și dar sau dacă când unde "
     "cum de ce cine în la pe cu din pentru după înainte prin este sunt a fost era nu da azi ieri "
     "mâine aici toți mulți",
     "ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie "
     "decembrie",
     "și de la în a cu pe nu este din care pentru sunt mai se", "spus întrebat răspuns"},
    {Language::kTurkish,
     "dr prof doç yrd av müh alb yzb öğr gör hz sn bkz örn yak krş st mah cad sok apt",
     "no s sf sy cilt c md bl şek tel", "oca şub mar nis may haz tem ağu eyl eki kas ara",
     "vb vs vd a.ş ltd şti inc jr m.ö m.s ö.s t.c a.b.d dk sa km kg yy mad nu",
     "bu şu o bir biz siz ben sen onlar bunlar ve ama fakat ancak veya eğer çünkü nasıl neden "
     "nerede kim ne şimdi sonra önce bugün dün yarın evet hayır çok her bütün tüm değil",
     "ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık yüzyıl yüzyılda",
     "ve bir bu da de için ile çok olarak daha gibi ne", "dedi sordu"},
    {Language::kCroatian,
     "dr prof mr ing dipl gosp gđa sv npr tzv tj odn usp engl njem lat gl ur prim akad doc",
     "br str čl sl tab tel", "sij velj ožu tra svi lip srp kol ruj lis stu pro",
     "itd i.sl d.o.o d.d inc ltd jr pr.kr po.kr god g st min sek km kg mil mlrd kn ul",
     "on ona ono oni mi vi ja ti ovo to taj ta ovaj ova i a ali ili ako kad kada gdje zašto kako "
     "tko što u na s sa k o od do po za pri bez je su bio bila ne da danas jučer sutra svi",
     "siječnja veljače ožujka travnja svibnja lipnja srpnja kolovoza rujna listopada studenoga "
     "prosinca stoljeća stoljeću",
     "je i u na se da su za od kao koji ali ili što", "rekao rekla upitao"},
    {Language::kSlovenian,
     "dr prof mag inž dipl g ga gdč sv npr t.i tj oz prim angl nem lat ur akad doc",
     "št str čl sl tab zv tel", "jan feb mar apr maj jun jul avg sep okt nov dec",
     "itd ipd idr d.o.o d.d inc ltd jr pr.n.št n.št l st min sek km kg mio mrd ul",
     "on ona ono oni mi vi jaz ti to ta tisti in a ampak ali če ko kje zakaj kako kdo kaj v na s z "
     "k o od do po za pri brez je so bil bila ne da danes včeraj jutri vsi",
     "januarja februarja marca aprila maja junija julija avgusta septembra oktobra novembra "
     "decembra stoletja stoletju",
     "je in v na se da so za od kot ki pa tudi", "rekel rekla vprašal"},
    {Language::kCatalan, "sr sra srs dr dra prof enginy mn st sta p.ex ex cf vs aprox av avda c.e",
     "n núm pàg pàgs p pp art cap fig vol t tel", "gen febr març abr jul ag set oct nov des",
     "etc cia s.a s.l inc ltd jr a.c d.c ee.uu a.m p.m min seg km kg ed trad univ",
     "el la els les un una uns unes ell ella ells elles nosaltres vosaltres jo tu i o però si quan "
     "com on perquè en a al de del per amb sobre entre des fins després abans aquest aquesta això "
     "no sí avui ahir demà ara aquí tots molts és són era hi",
     "gener febrer març abril maig juny juliol agost setembre octubre novembre desembre",
     "el la els les de que i en un una per amb del és no es com", "digué preguntà"},
    {Language::kInternational,
     "mr mrs ms dr prof st vs cf ca e.g i.e approx gen col capt lt sgt hon rev",
     "nr p pp vol fig art", "", "etc co corp inc ltd jr sr bros gmbh s.a s.p.a", "", "", "", ""},
};
const int kWesternWordsSize = sizeof(kWesternWords) / sizeof(kWesternWords[0]);

}  // namespace penstock::internal
