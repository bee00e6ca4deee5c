//! Walking over rows of the store, page by page.

use sluis_port::{Family, Range, Row, Store, StoreError};

/// Rows of a page.
const PAGE: usize = 1_000;

/// All rows whose key begins with `kind`. For families that hold few of them.
pub(crate) fn of_kind(store: &dyn Store, family: Family, kind: u8) -> Result<Vec<Row>, StoreError> {
    let range = Range {
        family,
        from: vec![kind],
        to: vec![kind + 1],
    };
    let mut rows = Vec::new();
    pages(store, &range, |page| {
        rows.extend_from_slice(page);
        Ok(())
    })?;
    Ok(rows)
}

/// Every row of a range, in pages.
pub(crate) fn pages<E: From<StoreError>>(
    store: &dyn Store,
    range: &Range,
    mut each: impl FnMut(&[Row]) -> Result<(), E>,
) -> Result<(), E> {
    let mut start = range.from.clone();
    loop {
        let mut page = store.scan(range.family, &start, PAGE)?;
        let Some((last, _)) = page.last() else {
            return Ok(());
        };
        start = [last, &[0][..]].concat();
        let read = page.len();
        page.retain(|(key, _)| *key < range.to);
        each(&page)?;
        if page.len() < read || read < PAGE {
            return Ok(());
        }
    }
}
