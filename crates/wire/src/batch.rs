//! Record batches and their results. Packed columns move as they are: no copy, nothing allocated per value.

mod request;
mod result;

pub use request::{Shape, parse, request};
pub use result::{BatchResult, Rejection, answer};

use sluis_domain::{Column, ElementName};

use crate::v1;
use v1::column::Form;

/// A column packed, or each value by itself.
fn column(name: &ElementName, column: &Column, packed: bool) -> v1::Column {
    let form = if packed {
        Form::Packed(v1::Packed {
            data: column.data().clone(),
            lengths: column.lengths().collect(),
        })
    } else {
        let values = (0..column.rows()).map(|row| column.slice(row)).collect();
        Form::Values(v1::Values { values })
    };
    v1::Column {
        element: name.as_str().to_owned(),
        form: Some(form),
    }
}

#[cfg(test)]
mod tests;
