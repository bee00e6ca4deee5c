//! Walking over rows of the store, page by page.

use sluis_port::rows::Kind;
use sluis_port::{Range, Row, Store, StoreError};

/// Rows of a page.
const PAGE: usize = 1_000;

/// All rows of one kind. For kinds that have few of them.
pub(crate) fn of_kind(store: &dyn Store, kind: Kind) -> Result<Vec<Row>, StoreError> {
    let mut rows = Vec::new();
    pages(store, &kind.range(), |page| {
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
