//! Synthetic patients. Whoever they resemble, it is by chance.

use super::bsn::bsn;
use super::random::{Random, Shuffle};

/// Given names as written, and for an e-mail address.
const GIVEN: [(&str, &str); 24] = [
    ("Sanne", "sanne"),
    ("Daan", "daan"),
    ("Zoë", "zoe"),
    ("Noël", "noel"),
    ("Fatma", "fatma"),
    ("Çağla", "cagla"),
    ("Jan", "jan"),
    ("Maria", "maria"),
    ("Renée", "renee"),
    ("Thijs", "thijs"),
    ("Łukasz", "lukasz"),
    ("Agnieszka", "agnieszka"),
    ("Mohammed", "mohammed"),
    ("Eva", "eva"),
    ("Søren", "soren"),
    ("Ingrid", "ingrid"),
    ("José", "jose"),
    ("Inês", "ines"),
    ("Willem", "willem"),
    ("Anouk", "anouk"),
    ("Björn", "bjorn"),
    ("Chantal", "chantal"),
    ("Ruben", "ruben"),
    ("Yasmîn", "yasmin"),
];

/// Family names as written, and for an e-mail address.
const FAMILY: [(&str, &str); 22] = [
    ("de Jong", "dejong"),
    ("Jansen", "jansen"),
    ("van den Berg", "vandenberg"),
    ("Bakker", "bakker"),
    ("Müller", "muller"),
    ("Yılmaz", "yilmaz"),
    ("Nowak", "nowak"),
    ("Visser", "visser"),
    ("Smit", "smit"),
    ("Meijer", "meijer"),
    ("de Boer", "deboer"),
    ("Mulder", "mulder"),
    ("Bos", "bos"),
    ("Peters", "peters"),
    ("Hendriks", "hendriks"),
    ("van Dijk", "vandijk"),
    ("Dijkstra", "dijkstra"),
    ("Peña", "pena"),
    ("García", "garcia"),
    ("Ågren", "agren"),
    ("van 't Hof", "vanthof"),
    ("El Amrani", "elamrani"),
];

/// Cities and the first of the postcodes used for them.
const CITIES: [(&str, u64); 10] = [
    ("Amsterdam", 1011),
    ("Haarlem", 2011),
    ("'s-Gravenhage", 2511),
    ("Rotterdam", 3011),
    ("Utrecht", 3511),
    ("Eindhoven", 5611),
    ("Nijmegen", 6511),
    ("Súdwest-Fryslân", 8601),
    ("Zwolle", 8011),
    ("Groningen", 9711),
];

/// Codes as in ICD-10.
const DIAGNOSES: [&str; 14] = [
    "E10.9", "E11.2", "E11.65", "E11.9", "E66.0", "E78.0", "F32.1", "I10", "I25.10", "I48.0",
    "J44.9", "J45.909", "M54.5", "N18.3",
];

/// Letters of a postcode (no vowels that could spell).
const LETTERS: &[u8] = b"BCDGHJKLNPRSTVWXZ";

/// What every file says of a person in the same words.
pub(super) struct Patient {
    pub(super) bsn: String,
    pub(super) email: String,
    pub(super) name: String,
    pub(super) birth_date: String,
    pub(super) postcode: String,
    pub(super) city: &'static str,
}

/// What one file says of one visit.
pub(super) struct Visit {
    pub(super) diagnosis: &'static str,
    pub(super) visit_date: String,
}

/// People by number, the same for the same seed.
pub(super) struct Population {
    seed: u64,
    numbers: Shuffle,
}

impl Population {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            numbers: Shuffle::new(super::bsn::COUNT, &mut Random::seeded(&[seed, 0])),
        }
    }

    /// Person `index`, below [`super::bsn::COUNT`].
    pub(super) fn patient(&self, index: u64) -> Patient {
        let random = &mut Random::seeded(&[self.seed, 1, index]);
        let (given, given_ascii) = *random.pick(&GIVEN);
        let (family, family_ascii) = *random.pick(&FAMILY);
        let (city, first_postcode) = *random.pick(&CITIES);
        let birth_date = date(random, 1930, 90);
        let letters: String = (0..2).map(|_| char::from(*random.pick(LETTERS))).collect();
        Patient {
            bsn: bsn(self.numbers.at(index)),
            email: format!("{given_ascii}.{family_ascii}.{index}@example.org"),
            name: format!("{given} {family}"),
            birth_date,
            postcode: format!("{} {letters}", first_postcode + random.below(80)),
            city,
        }
    }

    /// The visit of person `index` to care provider `provider`.
    pub(super) fn visit(&self, index: u64, provider: u64) -> Visit {
        let random = &mut Random::seeded(&[self.seed, 2, index, provider]);
        Visit {
            diagnosis: random.pick::<&'static str>(&DIAGNOSES),
            visit_date: date(random, 2023, 3),
        }
    }
}

/// A date of `years` years from `first` on, `YYYY-MM-DD`.
fn date(random: &mut Random, first: u64, years: u64) -> String {
    const DAYS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let year = first + random.below(years);
    let month = random.below(12);
    let leap = month == 1
        && year.is_multiple_of(4)
        && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let day = 1 + random.below(DAYS[month as usize] + u64::from(leap));
    format!("{year:04}-{:02}-{day:02}", month + 1)
}

#[cfg(test)]
mod tests {
    use time::Date;
    use time::format_description::well_known::Iso8601;

    use super::*;

    #[test]
    fn dates_exist() {
        let random = &mut Random::seeded(&[7]);
        for _ in 0..20_000 {
            let text = date(random, 1890, 220);
            assert!(Date::parse(&text, &Iso8601::DATE).is_ok(), "{text}");
        }
    }

    #[test]
    fn e_mail_addresses_are_ascii_and_postcodes_dutch() {
        let population = Population::new(3);
        for index in 0..5_000 {
            let patient = population.patient(index);
            assert!(
                patient.email.is_ascii() && patient.email.contains('@'),
                "{}",
                patient.email
            );
            let postcode = patient.postcode.as_bytes();
            assert!(
                postcode.len() == 7
                    && postcode[4] == b' '
                    && postcode[..4].iter().all(u8::is_ascii_digit)
            );
        }
    }
}
