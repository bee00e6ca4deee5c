//! Names of tiles and entry bundles, as paths under the log's directory or URL (C2SP tlog-tiles).
//!
//! A tile of level L holds up to 256 hashes, each of them the root of 256^L entries. Its full form never changes; of a
//! tile that is not full there is one partial form for each width. An entry bundle holds the entries below a tile of level 0.

use std::fmt;
use std::str::FromStr;

/// Hashes in a full tile, and entries in a full bundle.
pub const TILE_WIDTH: u16 = 256;
/// The highest level that a name can have.
const MAX_LEVEL: u8 = 63;
/// Above this level a tree of 2^64 - 1 entries has no tiles.
const HIGHEST_LEVEL_IN_USE: u8 = 7;

/// The name of a tile: `tile/<level>/<index>`, with `.p/<width>` if it is partial.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tile {
    level: u8,
    index: u64,
    width: u16,
}

/// The name of an entry bundle: `tile/entries/<index>`, with `.p/<width>` if it is partial.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Bundle {
    index: u64,
    width: u16,
}

/// What is not the name of a tile or bundle.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NameError {
    /// The level is not a number from 0 to 63 without leading zeroes.
    #[error("the level of a tile must be a number from 0 to 63 without leading zeroes")]
    Level,
    /// The index is not in groups of three digits, or exceeds 64 bits.
    #[error(
        "the index must be groups of three digits, all but the last with an x in front, as in x001/x234/067"
    )]
    Index,
    /// The width is not a number from 1 to 255 without leading zeroes (1 to 256 where it is not a path).
    #[error(
        "the width must be a number from 1 to 255 without leading zeroes; a full tile or bundle has no width"
    )]
    Width,
    /// It does not begin with `tile/` and a level, or with `tile/entries/`.
    #[error(
        "not a path of a tile (tile/<level>/<index>) or of an entry bundle (tile/entries/<index>)"
    )]
    Prefix,
}

impl Tile {
    /// A tile of `width` hashes (1 to 256) at a level (0 to 63).
    pub fn new(level: u8, index: u64, width: u16) -> Result<Self, NameError> {
        if level > MAX_LEVEL {
            return Err(NameError::Level);
        }
        Ok(Self {
            level,
            index,
            width: checked_width(width)?,
        })
    }

    /// The tile at this place in a tree of `size` entries, as wide as it is there; `None` if that tree has none there.
    pub fn in_tree(level: u8, index: u64, size: u64) -> Option<Self> {
        if level > HIGHEST_LEVEL_IN_USE {
            return None;
        }
        let width = width_in(size >> (8 * u32::from(level)), index)?;
        Some(Self {
            level,
            index,
            width,
        })
    }

    /// All tiles of a tree of `size` entries, level by level from 0, each level from the left. Only the last of a level
    /// can be partial.
    pub fn all(size: u64) -> impl Iterator<Item = Self> {
        (0..=HIGHEST_LEVEL_IN_USE)
            .flat_map(move |level| (0..).map_while(move |index| Self::in_tree(level, index, size)))
    }

    /// Its level; 0 holds the hashes of entries.
    pub fn level(&self) -> u8 {
        self.level
    }

    /// Its index within the level.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Its number of hashes, 1 to 256.
    pub fn width(&self) -> u16 {
        self.width
    }
}

impl Bundle {
    /// A bundle of `width` entries, 1 to 256.
    pub fn new(index: u64, width: u16) -> Result<Self, NameError> {
        Ok(Self {
            index,
            width: checked_width(width)?,
        })
    }

    /// The bundle with this index in a log of `size` entries; `None` if that log has none.
    pub fn in_log(index: u64, size: u64) -> Option<Self> {
        Some(Self {
            index,
            width: width_in(size, index)?,
        })
    }

    /// All bundles of a log of `size` entries, in order. Only the last can be partial.
    pub fn all(size: u64) -> impl Iterator<Item = Self> {
        (0..).map_while(move |index| Self::in_log(index, size))
    }

    /// Its index: the index of its first entry, divided by 256.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Its number of entries, 1 to 256.
    pub fn width(&self) -> u16 {
        self.width
    }
}

/// How much of a row of `count` things falls to the tile with this index.
fn width_in(count: u64, index: u64) -> Option<u16> {
    let before = index.checked_mul(u64::from(TILE_WIDTH))?;
    let width = count.checked_sub(before)?.min(u64::from(TILE_WIDTH));
    u16::try_from(width).ok().filter(|width| *width > 0)
}

fn checked_width(width: u16) -> Result<u16, NameError> {
    if (1..=TILE_WIDTH).contains(&width) {
        Ok(width)
    } else {
        Err(NameError::Width)
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/", self.level)?;
        write_place(f, self.index, self.width)
    }
}

impl fmt::Display for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tile/entries/")?;
        write_place(f, self.index, self.width)
    }
}

fn write_place(f: &mut fmt::Formatter<'_>, index: u64, width: u16) -> fmt::Result {
    let (mut groups, mut rest) = (vec![index % 1000], index / 1000);
    while rest > 0 {
        groups.push(rest % 1000);
        rest /= 1000;
    }
    for group in groups[1..].iter().rev() {
        write!(f, "x{group:03}/")?;
    }
    write!(f, "{:03}", groups[0])?;
    if width < TILE_WIDTH {
        write!(f, ".p/{width}")
    } else {
        Ok(())
    }
}

impl FromStr for Tile {
    type Err = NameError;

    fn from_str(path: &str) -> Result<Self, NameError> {
        let (level, place) = path
            .strip_prefix("tile/")
            .and_then(|rest| rest.split_once('/'))
            .ok_or(NameError::Prefix)?;
        let level = plain_number(level).ok_or(NameError::Level)?;
        let (index, width) = read_place(place)?;
        Self::new(
            u8::try_from(level).map_err(|_| NameError::Level)?,
            index,
            width,
        )
    }
}

impl FromStr for Bundle {
    type Err = NameError;

    fn from_str(path: &str) -> Result<Self, NameError> {
        let (index, width) = read_place(
            path.strip_prefix("tile/entries/")
                .ok_or(NameError::Prefix)?,
        )?;
        Self::new(index, width)
    }
}

fn read_place(place: &str) -> Result<(u64, u16), NameError> {
    let (index, width) = match place.split_once(".p/") {
        None => (place, TILE_WIDTH),
        Some((index, width)) => {
            let width = plain_number(width).filter(|width| *width < TILE_WIDTH);
            (index, width.ok_or(NameError::Width)?)
        }
    };
    Ok((read_index(index).ok_or(NameError::Index)?, width))
}

/// Groups of three digits. The first must not be `x000`, so that an index has one spelling.
fn read_index(text: &str) -> Option<u64> {
    let (upper, last) = text
        .rsplit_once('/')
        .map_or((None, text), |(upper, last)| (Some(upper), last));
    let mut index = 0_u64;
    for group in upper.into_iter().flat_map(|upper| upper.split('/')) {
        index = append_group(index, group.strip_prefix('x')?)?;
        if index == 0 {
            return None;
        }
    }
    append_group(index, last)
}

fn append_group(index: u64, group: &str) -> Option<u64> {
    if group.len() != 3 || !group.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    index.checked_mul(1000)?.checked_add(group.parse().ok()?)
}

/// A decimal number without sign and leading zeroes.
fn plain_number(text: &str) -> Option<u16> {
    let plain =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests;
