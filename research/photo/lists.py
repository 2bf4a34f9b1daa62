"""Words to try: synonyms of VOC's classes and of stuff, and words that name nothing that can be seen."""

from __future__ import annotations

SYNONYMS: dict[str, tuple[str, ...]] = {
    "aeroplane": ("airplane", "jet", "aircraft"),
    "bicycle": ("bike", "cycle", "pushbike"),
    "bird": ("songbird", "fowl", "feathered animal"),
    "boat": ("ship", "vessel", "watercraft"),
    "bottle": ("flask", "wine bottle", "glass bottle"),
    "bus": ("coach", "omnibus", "double decker"),
    "car": ("automobile", "motorcar", "sedan"),
    "cat": ("kitty", "tomcat", "kitten"),
    "chair": ("seat", "armchair", "stool"),
    "cow": ("cattle", "bull", "calf"),
    "dining table": ("table", "dinner table", "kitchen table"),
    "dog": ("puppy", "hound", "doggy"),
    "horse": ("pony", "mare", "stallion"),
    "motorbike": ("motorcycle", "moped", "scooter"),
    "person": ("human", "man", "people"),
    "potted plant": ("houseplant", "flowerpot", "plant in a pot"),
    "sheep": ("lamb", "ewe", "ram"),
    "sofa": ("couch", "settee", "loveseat"),
    "train": ("locomotive", "railway train", "rail car"),
    "television": ("tv", "monitor", "tv set"),
}

STUFF_SYNONYMS: dict[str, tuple[str, ...]] = {  # of the words that are asked at the marked points
    "sky": ("heavens", "blue sky", "firmament"),
    "wall": ("partition", "plaster wall", "painted wall"),
    "floor": ("flooring", "parquet", "hardwood floor"),
    "grass": ("lawn", "turf", "meadow"),
    "tree": ("trees", "oak", "spruce"),
    "road": ("asphalt", "roadway", "highway"),
    "water": ("pond", "ripples", "bay"),
    "building": ("house facade", "edifice", "apartment block"),
    "carpet": ("floor covering", "oriental carpet", "doormat"),
    "fence": ("chain link fence", "palisade", "wire mesh"),
    "pavement": ("sidewalk", "footpath", "paving stones"),
    "dirt": ("soil", "earth", "dust"),
    "bush": ("shrub", "shrubbery", "hedge"),
    "window": ("windowpane", "casement", "glazing"),
    "hill": ("hillside", "slope", "knoll"),
}

ASKED = (  # at the marked points
    "sky cloud wall brick_wall floor carpet ceiling window door curtain bed shelf cabinet table tablecloth grass field "
    "tree bush leaves forest branch hill mountain rock sand dirt gravel snow water sea road pavement railway_track "
    "building fence railing lamp paper cloth"
).split()
ASKED = [word.replace("_", " ") for word in ASKED]

INVISIBLE = (
    "justice democracy inflation grammar algebra gratitude theology bankruptcy nostalgia yesterday sincerity "
    "probability loyalty jurisdiction irony copyright childhood_memory economics forgiveness wisdom tax_law "
    "photosynthesis entropy freedom patience ambition Tuesday metaphor ideology silence "
    "qwertz blorf xyzzy snargle flimbert zzzz asdfgh vorpal gloopify trundlewick mimsy_borogove lorem_ipsum"
).split()
INVISIBLE = [word.replace("_", " ") for word in INVISIBLE]
