//! What a request would be decoded into, counted while it arrives.
//!
//! Two bytes on the wire can become a hundred in memory: an empty value, an empty column. So the messages of the data
//! services are walked before they are decoded, byte by byte as they come and without keeping any, and one that would become
//! too much is refused. What cannot be read is left to the decoder, which refuses it.
//!
//! A request is a sequence of gRPC frames: a flag, the length of the message (4 bytes, big-endian), the message
//! (protobuf: fields of tag and value, both of variable length).

/// A field of a message, and what it is decoded into.
struct Field {
    number: u64,
    /// Bytes of memory for each time it comes, vectors that grow included.
    each: u64,
    /// And for each byte of its own, beside the byte itself.
    per_byte: u64,
    /// The fields inside, if it is a message.
    inside: &'static [Field],
}

/// A value of `Values.values`: a `Bytes` in a vector that doubles.
const VALUE: Field = field(1, 64, 0, &[]);
/// `Packed.lengths`: a `u32` in a vector that doubles, for as little as a byte.
const LENGTHS: Field = field(2, 8, 8, &[]);
/// `Column`: its name on the heap, its form, a vector that doubles.
const COLUMN: Field = field(
    4,
    256,
    0,
    &[field(2, 0, 0, &[VALUE]), field(3, 0, 0, &[LENGTHS])],
);
/// `PseudonymiseOpen.elements`: a `String` in a vector that doubles.
const ELEMENTS: Field = field(2, 64, 0, &[]);
/// Every request of the data services: the opening in field 1, if it is a message, and the batch in field 2.
const REQUEST: &[Field] = &[field(1, 0, 0, &[ELEMENTS]), field(2, 0, 0, &[COLUMN])];

const fn field(number: u64, each: u64, per_byte: u64, inside: &'static [Field]) -> Field {
    Field {
        number,
        each,
        per_byte,
        inside,
    }
}

/// Length of a frame's head.
const HEAD: usize = 5;
/// Bits of a varint's last byte: one of 64 bits has 10 bytes.
const LAST_SHIFT: u32 = 63;

/// A message would be decoded into too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMuch;

/// Walks the frames of a request.
pub(super) struct Scan {
    most: u64,
    /// Bytes of the head of the next frame.
    head: Vec<u8>,
    message: Option<Message>,
}

/// Where in a message the scan is.
struct Message {
    /// Bytes of the message that were seen.
    at: u64,
    /// Where the value that is not looked into ends.
    skip_to: u64,
    /// The messages around this place: their end and their fields.
    around: Vec<(u64, &'static [Field])>,
    number: Number,
    awaited: Awaited,
    /// Bytes that it will be decoded into.
    cost: u64,
}

/// What the next number is.
#[derive(Clone, Copy)]
enum Awaited {
    Tag,
    /// The value of a number field.
    Value(u64),
    /// The length of a field with a length.
    Length(u64),
}

/// A number that has not come to its end.
#[derive(Default)]
struct Number {
    value: u64,
    shift: u32,
}

impl Scan {
    /// Messages may be decoded into `most` bytes beside their own.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most: most as u64,
            head: Vec::with_capacity(HEAD),
            message: None,
        }
    }

    /// Whether a message has begun and not ended.
    pub(super) fn is_within_a_message(&self) -> bool {
        self.message.is_some() || !self.head.is_empty()
    }

    /// Looks at the next bytes of the request.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), TooMuch> {
        while !bytes.is_empty() {
            let Some(message) = &mut self.message else {
                let (head, rest) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
                self.head.extend_from_slice(head);
                bytes = rest;
                if let [_, length @ ..] = &*self.head
                    && let Ok(length) = <[u8; 4]>::try_from(length)
                {
                    self.message = Message::new(u32::from_be_bytes(length).into());
                    self.head.clear();
                }
                continue;
            };
            bytes = message.feed(bytes);
            if message.cost > self.most {
                return Err(TooMuch);
            }
            if message.around.is_empty() {
                self.message = None;
            }
        }
        Ok(())
    }
}

impl Message {
    /// A message of `length` bytes; one without any is over.
    fn new(length: u64) -> Option<Self> {
        (length > 0).then(|| Self {
            at: 0,
            skip_to: 0,
            around: vec![(length, REQUEST)],
            number: Number::default(),
            awaited: Awaited::Tag,
            cost: 0,
        })
    }

    /// Looks at the next bytes of the message, as far as they are looked into or skipped at once; returns the others.
    fn feed<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let skipped = self.skip_to.saturating_sub(self.at).min(bytes.len() as u64);
        self.at += skipped;
        // No more than there are.
        let mut rest = &bytes[skipped as usize..];
        if self.at >= self.skip_to
            && !self.leave_ended()
            && let [first, others @ ..] = rest
        {
            rest = others;
            self.at += 1;
            if let Some(number) = self.number.push(*first) {
                self.see(number);
            }
        }
        self.leave_ended();
        rest
    }

    /// Leaves the messages that end here; whether that was the last one.
    fn leave_ended(&mut self) -> bool {
        while self.around.last().is_some_and(|(end, _)| *end <= self.at) {
            self.around.pop();
            // A number that is cut off by the end of its message is the decoder's business.
            self.number = Number::default();
            self.awaited = Awaited::Tag;
        }
        self.around.is_empty()
    }

    fn see(&mut self, number: u64) {
        let Some((end, fields)) = self.around.last().copied() else {
            return;
        };
        match std::mem::replace(&mut self.awaited, Awaited::Tag) {
            Awaited::Tag => match number & 7 {
                0 => self.awaited = Awaited::Value(number >> 3),
                1 => self.skip_to = self.at.saturating_add(8).min(end),
                2 => self.awaited = Awaited::Length(number >> 3),
                5 => self.skip_to = self.at.saturating_add(4).min(end),
                // Groups: nothing of ours, and what is in them costs nothing.
                _ => {}
            },
            Awaited::Value(field) => {
                let known = fields.iter().find(|known| known.number == field);
                self.cost += known.map_or(0, |known| known.each);
            }
            Awaited::Length(field) => {
                let value_end = self.at.saturating_add(number).min(end);
                let known = fields.iter().find(|known| known.number == field);
                let bytes = value_end - self.at;
                self.cost += known.map_or(0, |known| known.each + known.per_byte * bytes);
                match known {
                    Some(known) if !known.inside.is_empty() && bytes > 0 => {
                        self.around.push((value_end, known.inside));
                    }
                    _ => self.skip_to = value_end,
                }
            }
        }
    }
}

impl Number {
    /// The next byte of a number; the number at its end, and whatever it is after as many bytes as it may have.
    fn push(&mut self, byte: u8) -> Option<u64> {
        self.value |= u64::from(byte & 0x7f) << self.shift;
        if byte & 0x80 == 0 || self.shift >= LAST_SHIFT {
            return Some(std::mem::take(self).value);
        }
        self.shift += 7;
        None
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use prost::Message as _;
    use sluis_wire::v1;
    use v1::column::Form;

    use super::*;

    fn framed(message: &impl prost::Message) -> Vec<u8> {
        let bytes = message.encode_to_vec();
        let length = u32::try_from(bytes.len()).expect("short").to_be_bytes();
        [&[0][..], &length, &bytes].concat()
    }

    fn request(columns: Vec<v1::Column>) -> v1::PseudonymiseBatchRequest {
        v1::PseudonymiseBatchRequest {
            open: Some(v1::PseudonymiseOpen {
                chain_id: "a chain".to_owned(),
                elements: vec!["bsn".to_owned(), "name".to_owned()],
                ..Default::default()
            }),
            batch: Some(v1::RecordBatch {
                sequence: u64::MAX,
                batch_id: Bytes::from_static(&[0x22; 16]),
                rows: 1 << 20,
                columns,
            }),
        }
    }

    fn column(form: Form) -> v1::Column {
        v1::Column {
            element: "bsn".to_owned(),
            form: Some(form),
        }
    }

    fn values(count: usize, value: &'static [u8]) -> v1::Column {
        column(Form::Values(v1::Values {
            values: vec![Bytes::from_static(value); count],
        }))
    }

    fn packed(lengths: Vec<u32>) -> v1::Column {
        let data = Bytes::from(vec![0x0a; lengths.iter().sum::<u32>() as usize]);
        column(Form::Packed(v1::Packed { data, lengths }))
    }

    /// Whether a message that comes in pieces of `step` bytes costs exactly so much.
    fn costs(frame: &[u8], step: usize, cost: usize) -> bool {
        let feed = |most| {
            let mut scan = Scan::new(most);
            let outcome = frame.chunks(step).try_for_each(|piece| scan.feed(piece));
            assert_eq!(scan.is_within_a_message(), outcome.is_err());
            outcome
        };
        feed(cost).is_ok() && feed(cost - 1).is_err()
    }

    #[test]
    fn columns_and_values_are_counted_however_the_bytes_come() {
        let columns = vec![
            values(100, b"950000012"),
            packed(vec![9; 50]),
            values(7, b""),
        ];
        let frame = framed(&request(columns));
        let expected = 2 * 64 + 3 * 256 + 107 * 64 + 8 + 50 * 8;
        for step in [1, 2, 3, 7, 64, frame.len()] {
            assert!(costs(&frame, step, expected), "{step}");
        }
    }

    #[test]
    fn all_data_requests_have_the_same_shape() {
        let batch = request(vec![values(10, b"x")]).batch;
        let expected = 256 + 10 * 64;
        let convert = v1::ConvertBatchRequest {
            grant_id: "g".repeat(20),
            batch: batch.clone(),
            from_imported: true,
        };
        assert!(costs(&framed(&convert), 5, expected));
        let message = batch.clone().map(v1::convert_request::Message::Batch);
        assert!(costs(&framed(&v1::ConvertRequest { message }), 5, expected));
        let message = batch.clone().map(v1::pseudonymise_request::Message::Batch);
        let stream = v1::PseudonymiseRequest { message };
        assert!(costs(&framed(&stream), 5, expected));
        let message = batch.map(v1::reidentify_request::Message::Batch);
        let stream = v1::ReidentifyRequest { message };
        assert!(costs(&framed(&stream), 5, expected));
    }

    #[test]
    fn a_message_that_becomes_too_much_is_refused_and_a_common_one_is_not() {
        let mut scan = Scan::new(1 << 20);
        let many = framed(&request(vec![values(10_000, b"")]));
        for _ in 0..10 {
            assert_eq!(scan.feed(&many), Ok(()), "each message has its own limit");
        }
        let too_many = framed(&request(vec![values(20_000, b"")]));
        assert_eq!(scan.feed(&too_many), Err(TooMuch));
        let columns = vec![v1::Column::default(); 5_000];
        let columns = framed(&request(columns));
        assert_eq!(Scan::new(1 << 20).feed(&columns), Err(TooMuch));
        // The same batch field again and again is merged by the decoder.
        let one = request(vec![values(10_000, b"")]).encode_to_vec();
        let merged = [&one[..], &one].concat();
        let length = u32::try_from(merged.len()).expect("short").to_be_bytes();
        let merged = [&[0][..], &length, &merged].concat();
        assert_eq!(Scan::new(1 << 20).feed(&merged), Err(TooMuch));
    }

    #[test]
    fn what_is_no_message_is_left_to_the_decoder() {
        for bytes in [
            &[0xff; 100][..],
            &[
                0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
            ],
            &[0x09, 1],
            &[0x13, 0x14, 0x0b],
            &[0x12, 4, 0x22, 0x20, 0x80],
        ] {
            let length = u32::try_from(bytes.len()).expect("short").to_be_bytes();
            let mut scan = Scan::new(1 << 20);
            let frame = [&[0][..], &length, bytes].concat();
            for byte in &frame {
                scan.feed(std::slice::from_ref(byte)).expect("left alone");
            }
            assert!(!scan.is_within_a_message(), "{bytes:?}");
            // And what follows is read again.
            let next = framed(&request(vec![values(20_000, b"")]));
            assert_eq!(scan.feed(&next), Err(TooMuch), "{bytes:?}");
        }
    }
}
