"""Which tables defaults are chosen on, and which they are judged on: names, targets, where each comes from.

A table of the benchmark (compare.py), or one made by the same generator or from the same source, must not be here: what
defaults are chosen on cannot show that they are good.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

UCI = "UCI, CC BY 4.0"
STATLIB = "StatLib, none stated"
TORGO = "Torgo's regression collection, none stated"
DELVE = "DELVE, none stated"
PROMISE = "PROMISE, none stated"
KEEL = "KEEL, none stated"


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table.

    Attributes:
        source: "arff", "promise" or "mlr" (folders of files, see tables.py), "keel" or "r" (packages).
        path: File of the source, or `package/item` of an R package.
        target: Name of the column to predict.
        drop: Columns left out: numbers of rows, and what is known only with the answer.
        licence: As its source states it.
    """

    name: str
    source: str
    path: str
    task: str
    target: str
    licence: str
    drop: tuple[str, ...] = ()

    @property
    def half(self) -> str:
        """Say what the table is for; the name alone decides, so that nobody can."""
        return "choose" if hashlib.sha256(self.name.encode()).digest()[0] % 2 else "judge"


def _classes(name: str, path: str, target: str, licence: str, *drop: str, source: str = "arff") -> Table:
    return Table(name=name, source=source, path=path, task="classification", target=target, licence=licence, drop=drop)


def _values(name: str, path: str, target: str, licence: str, *drop: str, source: str = "arff") -> Table:
    return Table(name=name, source=source, path=path, task="regression", target=target, licence=licence, drop=drop)


TABLES: tuple[Table, ...] = (
    _classes("anneal", "classification/anneal.arff", "class", UCI),
    _classes("balance-scale", "classification/balance.scale.arff", "class", UCI),
    _classes("breast-w", "classification/breast.w.arff", "Class", UCI),
    _classes("car", "classification/car.arff", "class", UCI),
    _classes("contraceptive", "classification/cmc.arff", "Contraceptive_method_used", UCI),
    _classes("credit-a", "classification/credit.a.arff", "class", UCI),
    _classes("credit-g", "classification/credit.g.arff", "class", UCI),
    _classes("cylinder-bands", "classification/cylinder.bands.arff", "band_type", UCI, "job_number", "timestamp"),
    _classes("pima-diabetes", "classification/diabetes.arff", "class", UCI),
    _classes("hypothyroid", "classification/hypothyroid.arff", "Class", UCI),
    _classes("kr-vs-kp", "classification/kr.vs.kp.arff", "class", UCI),
    _classes("letter", "classification/letter.arff", "class", UCI),
    _classes("mushroom", "classification/mushroom.arff", "class", UCI),
    _classes("nursery", "classification/nursery.arff", "class", UCI),
    _classes("page-blocks", "classification/page.blocks.arff", "class", UCI),
    _classes("pendigits", "classification/pendigits.arff", "class", UCI),
    _classes("segment", "classification/segment.arff", "class", UCI),
    _classes("sick", "classification/sick.arff", "Class", UCI),
    _classes("soybean", "classification/soybean.arff", "class", UCI),
    _classes("spambase", "classification/spambase.arff", "class", UCI),
    _classes("splice", "classification/splice.arff", "Class", UCI, "Instance_name"),
    _classes("tic-tac-toe", "classification/tic-tac-toe.arff", "Class", UCI),
    _classes("vehicle", "classification/vehicle.arff", "Class", UCI),
    _classes("votes", "classification/vote.arff", "Class", UCI),
    _classes("vowel", "classification/vowel.arff", "Class", UCI, "Train or Test", "Speaker Number"),
    _classes("waveform", "classification/waveform5000.arff", "class", UCI),
    _classes("authorship", "statlib/nominal/analcatdata_authorship.arff", "Author", STATLIB),
    _classes("halloffame", "statlib/nominal/analcatdata_halloffame.arff", "Hall_of_Fame", STATLIB, "Player"),
    _classes("kc1", "kc1.csv", "defects", PROMISE, source="promise"),
    _classes("pc1", "pc1.csv", "defects", PROMISE, source="promise"),
    _classes("jm1", "jm1.csv", "defects", PROMISE, source="promise"),
    _classes("magic", "magic", "class", UCI, source="keel"),
    _classes("satimage", "satimage", "class", UCI, source="keel"),
    _classes("phoneme", "phoneme", "class", KEEL, source="keel"),
    _classes("texture", "texture", "class", KEEL, source="keel"),
    _classes("marketing", "marketing", "class", KEEL, source="keel"),
    _classes("saheart", "saheart", "class", KEEL, source="keel"),
    _classes("movement-libras", "movement_libras", "class", UCI, source="keel"),
    _classes("attrition", "modeldata/attrition", "Attrition", "modeldata, MIT", source="r"),
    _classes("credit-data", "modeldata/credit_data", "Status", "modeldata, MIT", source="r"),
    _classes("lending-club", "modeldata/lending_club", "Class", "modeldata, MIT", source="r"),
    _classes("churn", "modeldata/mlc_churn", "churn", "modeldata, MIT", source="r"),
    _classes("cells", "modeldata/cells", "class", "modeldata, MIT", "case", source="r"),
    _classes("speech", "modeldata/pd_speech", "class", "modeldata, MIT", source="r"),
    _classes("stackoverflow", "modeldata/stackoverflow", "Remote", "modeldata, MIT", source="r"),
    _classes("taxi", "modeldata/taxi", "tip", "modeldata, MIT", source="r"),
    _classes("caravan", "ISLR/Caravan", "Purchase", "ISLR, GPL-2", source="r"),
    _classes("orange-juice", "ISLR/OJ", "Purchase", "ISLR, GPL-2", source="r"),
    _classes("crashes", "DAAG/nassCDS", "dead", "DAAG, GPL-3", "caseid", "injSeverity", "weight", source="r"),
    _classes("hmda", "AER/HMDA", "deny", "AER, GPL-2 or GPL-3", source="r"),
    _classes("email", "openintro/email", "spam", "openintro, GPL-3", "time", source="r"),
    _classes("chile-vote", "carData/Chile", "vote", "carData, GPL", source="r"),
    _classes("titanic", "carData/TitanicSurvival", "survived", "carData, GPL", source="r"),
    _classes("poverty-view", "carData/WVS", "poverty", "carData, GPL", source="r"),
    _values("abalone", "regression/abalone.arff", "Class_Rings", UCI),
    _values("auto-mpg", "regression/autompg.arff", "class", UCI),
    _values("bank32nh", "regression/bank32nh.arff", "rej", DELVE),
    _values("bank8fm", "regression/bank8FM.arff", "rej", DELVE),
    _values("cpu-act", "regression/cpu.act.arff", "usr", DELVE),
    _values("delta-ailerons", "regression/delta.ailerons.arff", "Sa", TORGO),
    _values("elevators", "regression/elevators.arff", "Goal", TORGO),
    _values("house8l", "regression/house8L.arff", "price", DELVE),
    _values("boston", "regression/housing.arff", "class", "StatLib, none stated"),
    _values("kin8nm", "regression/kin8nm.arff", "y", DELVE),
    _values("pol", "regression/pol.arff", "foo", TORGO),
    _values("puma32h", "regression/puma32H.arff", "thetadd6", DELVE),
    _values("quake", "regression/quake.arff", "richter", STATLIB),
    _values("sensory", "regression/sensory.arff", "score", STATLIB),
    _values("stock", "regression/stock.arff", "company10", STATLIB),
    _values("wind", "statlib/numeric/wind.arff", "MAL", STATLIB, "year"),
    _values("space-ga", "statlib/numeric/space_ga.arff", "ln(VOTES/POP)", STATLIB),
    _values("wages-85", "statlib/numeric/cps_85_wages.arff", "WAGE", STATLIB),
    _values("pollen", "statlib/numeric/pollen.arff", "DENSITY", STATLIB, "OBSERVATION_NUMBER"),
    _values("no2", "statlib/numeric/no2.arff", "no2_concentration", STATLIB),
    _values("insurance", "insurance.csv", "charges", "Lantz, none stated", source="mlr"),
    _values("concrete", "concrete.csv", "strength", UCI, source="mlr"),
    _values("wine-white", "winequality-white.csv", "quality", UCI, source="mlr"),
    _values("ames", "modeldata/ames", "Sale_Price", "modeldata, MIT", source="r"),
    _values("sacramento", "modeldata/Sacramento", "price", "modeldata, MIT", source="r"),
    _values("biomass", "modeldata/biomass", "HHV", "modeldata, MIT", "sample", "dataset", source="r"),
    _values("hotel-rates", "modeldata/hotel_rates", "avg_price_per_room", "modeldata, MIT", source="r"),
    _values("deliveries", "modeldata/deliveries", "time_to_delivery", "modeldata, MIT", source="r"),
    _values("car-prices", "modeldata/car_prices", "Price", "modeldata, MIT", source="r"),
    _values("wage", "ISLR/Wage", "wage", "ISLR, GPL-2", "logwage", source="r"),
    _values("computers", "Ecdat/Computers", "price", "Ecdat, GPL", source="r"),
    _values("budget-food", "Ecdat/BudgetFood", "wfood", "Ecdat, GPL", source="r"),
    _values("salaries", "carData/Salaries", "salary", "carData, GPL", source="r"),
    _values("cps-earnings", "AER/CPSSW8", "earnings", "AER, GPL-2 or GPL-3", source="r"),
    _values("school-maths", "mlmRev/Hsb82", "mAch", "mlmRev, GPL", source="r"),
    _values(
        "movies",
        "ggplot2movies/movies",
        "rating",
        "ggplot2movies, GPL-3",
        "title",
        *(f"r{place}" for place in range(1, 11)),
        source="r",
    ),
    _values(
        "loans",
        "openintro/loans_full_schema",
        "interest_rate",
        "openintro, GPL-3",
        *("grade", "sub_grade", "installment", "loan_status", "balance"),
        *("paid_total", "paid_principal", "paid_interest", "paid_late_fees"),
        source="r",
    ),
)
