use proptest::prelude::*;

use super::*;

fn tile(level: u8, index: u64, width: u16) -> Tile {
    Tile::new(level, index, width).expect("a tile")
}

#[test]
fn paths_are_those_of_the_specification() {
    let cases = [
        (tile(0, 0, 256), "tile/0/000"),
        (tile(0, 1_234_067, 256), "tile/0/x001/x234/067"),
        (tile(1, 1000, 1), "tile/1/x001/000.p/1"),
        (tile(63, 999, 255), "tile/63/999.p/255"),
        (tile(0, 273, 112), "tile/0/273.p/112"),
        (
            tile(7, u64::MAX, 17),
            "tile/7/x018/x446/x744/x073/x709/x551/615.p/17",
        ),
    ];
    for (tile, path) in cases {
        assert_eq!(tile.to_string(), path);
        assert_eq!(path.parse(), Ok(tile));
    }
    let bundle = Bundle::new(1_234_067, 9).expect("a bundle");
    assert_eq!(bundle.to_string(), "tile/entries/x001/x234/067.p/9");
    assert_eq!("tile/entries/x001/x234/067.p/9".parse(), Ok(bundle));
    assert_eq!("tile/entries/000".parse(), Bundle::new(0, 256));
}

#[test]
fn other_paths_are_refused() {
    let index = [
        "",
        "0",
        "00",
        "0000",
        "x00/000",
        "x000/001",
        "x001/x000",
        "001/002",
        "x001/",
        "/000",
        "x001//000",
        "+01",
    ];
    for index in index.into_iter().chain([
        "-01",
        "00a",
        "x018/x446/x744/x073/x709/x551/616",
        "x001/x234/067/",
        "٠٠٠",
    ]) {
        assert_eq!(
            format!("tile/0/{index}").parse::<Tile>(),
            Err(NameError::Index),
            "{index}"
        );
        assert_eq!(
            format!("tile/entries/{index}").parse::<Bundle>(),
            Err(NameError::Index),
            "{index}"
        );
    }
    for width in [
        "",
        "0",
        "00",
        "01",
        "256",
        "+1",
        "1.p/1",
        "1/",
        "99999999999",
    ] {
        assert_eq!(
            format!("tile/0/000.p/{width}").parse::<Tile>(),
            Err(NameError::Width),
            "{width}"
        );
        assert_eq!(
            format!("tile/entries/000.p/{width}").parse::<Bundle>(),
            Err(NameError::Width),
            "{width}"
        );
    }
    for level in ["", "00", "01", "64", "256", "+1", "entries", "data"] {
        assert_eq!(
            format!("tile/{level}/000").parse::<Tile>(),
            Err(NameError::Level),
            "{level}"
        );
    }
    for path in [
        "",
        "tile",
        "tile/",
        "tile/0",
        "/tile/0/000",
        "Tile/0/000",
        "tile/8",
    ] {
        assert_eq!(path.parse::<Tile>(), Err(NameError::Prefix), "{path}");
        assert_eq!(path.parse::<Bundle>(), Err(NameError::Prefix), "{path}");
    }
    assert_eq!("tile/0/000".parse::<Bundle>(), Err(NameError::Prefix));
}

#[test]
fn names_out_of_range_are_not_made() {
    assert_eq!(Tile::new(64, 0, 1), Err(NameError::Level));
    assert_eq!(Tile::new(0, 0, 0), Err(NameError::Width));
    assert_eq!(Tile::new(0, 0, 257), Err(NameError::Width));
    assert_eq!(Bundle::new(0, 0), Err(NameError::Width));
    assert_eq!(Bundle::new(0, 257), Err(NameError::Width));
}

#[test]
fn tiles_of_a_tree() {
    let all = |size| {
        Tile::all(size)
            .map(|tile| tile.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(all(0), Vec::<String>::new());
    assert_eq!(all(1), ["tile/0/000.p/1"]);
    assert_eq!(all(255), ["tile/0/000.p/255"]);
    assert_eq!(all(256), ["tile/0/000", "tile/1/000.p/1"]);
    assert_eq!(
        all(513),
        [
            "tile/0/000",
            "tile/0/001",
            "tile/0/002.p/1",
            "tile/1/000.p/2"
        ]
    );
    assert_eq!(all(65_536).len(), 256 + 1 + 1);
    assert_eq!(
        all(70_000)[273..],
        [
            "tile/0/273.p/112",
            "tile/1/000",
            "tile/1/001.p/17",
            "tile/2/000.p/1"
        ]
    );
    assert_eq!(Tile::in_tree(7, 0, u64::MAX), Tile::new(7, 0, 255).ok());
    assert_eq!(
        Tile::in_tree(0, u64::MAX / 256, u64::MAX),
        Tile::new(0, u64::MAX / 256, 255).ok()
    );
    assert_eq!(
        [
            Tile::in_tree(8, 0, u64::MAX),
            Tile::in_tree(0, u64::MAX, u64::MAX)
        ],
        [None, None]
    );
}

#[test]
fn bundles_of_a_log() {
    let all = |size| {
        Bundle::all(size)
            .map(|bundle| (bundle.index(), bundle.width()))
            .collect::<Vec<_>>()
    };
    assert_eq!(all(0), []);
    assert_eq!(all(256), [(0, 256)]);
    assert_eq!(all(513), [(0, 256), (1, 256), (2, 1)]);
}

proptest! {
    #[test]
    fn a_name_reads_back(level in 0_u8..=63, index in any::<u64>(), shift in 0_u32..64, width in 1_u16..=256) {
        let tile = tile(level, index >> shift, width);
        prop_assert_eq!(tile.to_string().parse(), Ok(tile));
        let bundle = Bundle::new(index >> shift, width).expect("a bundle");
        prop_assert_eq!(bundle.to_string().parse(), Ok(bundle));
    }

    #[test]
    fn what_reads_prints_the_same(path in "tile/(entries|[0-9]{1,2})/(x?[0-9]{3}/){0,3}[0-9]{3}(\\.p/[0-9]{1,3})?") {
        if let Ok(tile) = path.parse::<Tile>() {
            prop_assert_eq!(tile.to_string(), path);
        } else if let Ok(bundle) = path.parse::<Bundle>() {
            prop_assert_eq!(bundle.to_string(), path);
        }
    }

    #[test]
    fn no_path_panics(path in "(tile/)?(entries|0)?/?\\PC{0,12}") {
        let read = (path.parse::<Tile>().map(|tile| tile.to_string()), path.parse::<Bundle>().map(|bundle| bundle.to_string()));
        prop_assert!(read.0.is_err() || read.0.as_ref() == Ok(&path));
        prop_assert!(read.1.is_err() || read.1.as_ref() == Ok(&path));
    }
}
