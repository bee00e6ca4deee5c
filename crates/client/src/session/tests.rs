//! Sessions against a custodian made of channels.

use std::time::Duration;

use bytes::Bytes;
use sluis_domain::{Column, ElementName};

use super::*;

type Custodian = mpsc::Sender<Result<Option<Answer>, Status>>;

async fn session(in_flight: u32) -> (Session, mpsc::Receiver<v1::RecordBatch>, Custodian) {
    let (batches, seen) = mpsc::channel(16);
    let (custodian, answers) = mpsc::channel(16);
    let limits = StreamLimits {
        max_batch_rows: 4,
        max_message_bytes: 1 << 10,
        max_batches_in_flight: in_flight,
    };
    let opened = Opened {
        limits,
        remaining: None,
        remaining_today: None,
        registry_version: Some(1),
    };
    custodian
        .send(Ok(Some(Answer::Opened(opened))))
        .await
        .expect("open");
    let session = Session::open(batches, ReceiverStream::new(answers).boxed())
        .await
        .expect("opens");
    (session, seen, custodian)
}

fn batch(rows: u32) -> Batch {
    let element: ElementName = "bsn".parse().expect("an id");
    let mut batch = Batch::new(rows);
    batch.push(&element, Column::from_values(vec!["x"; rows as usize]));
    batch
}

fn result(sequence: u64, rows: u32) -> Result<Option<Answer>, Status> {
    let packed = v1::Packed {
        data: Bytes::from(vec![b'y'; rows as usize]),
        lengths: vec![1; rows as usize],
    };
    let column = v1::Column {
        element: "bsn".into(),
        form: Some(v1::column::Form::Packed(packed)),
    };
    let output = Some(v1::batch_result::Output::Plain(v1::PlainOutput {
        columns: vec![column],
    }));
    Ok(Some(Answer::Result(v1::BatchResult {
        sequence,
        output,
        rejections: vec![],
        counted_values: 0,
    })))
}

/// Whether a future is still waiting once everything else has run.
async fn waits<F: Future>(future: F) -> bool {
    tokio::time::timeout(Duration::from_millis(20), future)
        .await
        .is_err()
}

#[tokio::test]
async fn a_column_that_is_not_answered_is_missing_from_the_result_and_from_nothing_else() {
    let (batches, _seen) = mpsc::channel(16);
    let (custodian, answers) = mpsc::channel(16);
    let limits = StreamLimits {
        max_batch_rows: 4,
        max_message_bytes: 1 << 10,
        max_batches_in_flight: 2,
    };
    let opened = Opened {
        limits,
        remaining: None,
        remaining_today: None,
        registry_version: Some(1),
    };
    custodian
        .send(Ok(Some(Answer::Opened(opened))))
        .await
        .expect("open");
    let answers = ReceiverStream::new(answers).boxed();
    let mut session = Session::open_with(batches, answers, 1)
        .await
        .expect("opens");
    let mut mapping = batch(1);
    let old = Column::from_values([""]);
    mapping.push(&"study-no".parse().expect("an id"), old);
    session.send(mapping).await.expect("room");
    custodian.send(result(0, 1)).await.expect("open");
    assert_eq!(
        session
            .next()
            .await
            .expect("ok")
            .expect("a result")
            .columns
            .len(),
        1
    );
    session.send(batch(1)).await.expect("room");
    custodian.send(result(1, 1)).await.expect("open");
    assert!(
        matches!(session.next().await, Err(ClientError::Invalid(_))),
        "a column too many"
    );
}

#[tokio::test]
async fn no_more_batches_are_in_flight_than_the_custodian_allows() {
    let (session, mut seen, custodian) = session(2).await;
    let (mut sender, mut receiver) = session.split();
    sender.send(batch(1)).await.expect("room");
    sender.send(batch(2)).await.expect("room");
    assert!(waits(sender.send(batch(3))).await);
    custodian.send(result(0, 1)).await.expect("open");
    let first = receiver.next().await.expect("ok").expect("a result");
    assert_eq!((first.sequence, first.columns[0].1.rows()), (0, 1));
    sender.send(batch(3)).await.expect("room again");
    let sent: Vec<_> = [seen.recv().await, seen.recv().await, seen.recv().await]
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(
        sent.iter()
            .map(|b| (b.sequence, b.rows))
            .collect::<Vec<_>>(),
        [(0, 1), (1, 2), (2, 3)]
    );
}

#[tokio::test]
async fn a_refusal_wakes_a_sender_that_waits_for_room() {
    let (session, _seen, custodian) = session(1).await;
    let (mut sender, mut receiver) = session.split();
    sender.send(batch(1)).await.expect("room");
    let sending = tokio::spawn(async move { sender.send(batch(1)).await });
    custodian
        .send(Err(Status::permission_denied("blocked")))
        .await
        .expect("open");
    assert!(matches!(
        receiver.next().await,
        Err(ClientError::Refused(_))
    ));
    assert!(matches!(
        sending.await.expect("no panic"),
        Err(ClientError::Closed)
    ));
}

#[tokio::test]
async fn a_batch_over_the_limits_is_refused_before_it_is_sent() {
    let (mut session, mut seen, _custodian) = session(1).await;
    assert!(matches!(
        session.send(batch(5)).await,
        Err(ClientError::BatchTooLarge)
    ));
    let big = Column::from_values([[b'x'; 1 << 10]]);
    let mut message = Batch::new(1);
    message.push(&"bsn".parse().expect("an id"), big);
    assert!(matches!(
        session.send(message).await,
        Err(ClientError::BatchTooLarge)
    ));
    session.send(batch(4)).await.expect("fits");
    assert_eq!(seen.recv().await.map(|b| b.sequence), Some(0));
}

#[tokio::test]
async fn answers_that_do_not_fit_are_a_broken_protocol() {
    for answer in [result(1, 1), result(0, 2), Ok(None)] {
        let (mut session, _seen, custodian) = session(1).await;
        session.send(batch(1)).await.expect("room");
        custodian.send(answer).await.expect("open");
        assert!(matches!(
            session.next().await,
            Err(ClientError::Protocol(_) | ClientError::Invalid(_))
        ));
    }
    let (mut session, _seen, custodian) = session(1).await;
    custodian.send(result(0, 1)).await.expect("open");
    assert!(
        matches!(session.next().await, Err(ClientError::Protocol(_))),
        "nothing was sent"
    );
}

#[tokio::test]
async fn an_end_before_all_is_answered_is_not_success() {
    let (mut session, _seen, custodian) = session(1).await;
    session.send(batch(1)).await.expect("room");
    drop(custodian);
    assert!(matches!(
        session.next().await,
        Err(ClientError::Protocol(_))
    ));
}

#[tokio::test]
async fn an_end_after_all_is_answered_is() {
    let (mut session, _seen, custodian) = session(1).await;
    session.send(batch(1)).await.expect("room");
    custodian.send(result(0, 1)).await.expect("open");
    drop(custodian);
    assert!(session.next().await.expect("ok").is_some());
    assert_eq!(session.next().await.expect("ok"), None);
}

/// Takes a while, and refuses batches without rows.
struct Slow;

impl Prepare for Slow {
    fn prepare(&mut self, batch: Batch) -> crate::Prepared<'_> {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            match batch.rows() {
                0 => Err(ClientError::BatchTooLarge),
                _ => Ok(batch),
            }
        })
    }
}

#[tokio::test]
async fn a_step_before_sending_may_take_time_and_a_batch_it_refuses_is_not_sent() {
    let (session, mut seen, _custodian) = session(2).await;
    let mut session = session.prepared_by(Slow);
    session.send(batch(1)).await.expect("room");
    assert!(session.send(batch(0)).await.is_err());
    session.send(batch(2)).await.expect("room");
    let sent = [seen.recv().await, seen.recv().await];
    let sent = sent.map(|batch| batch.map(|batch| (batch.sequence, batch.rows)));
    assert_eq!(sent, [Some((0, 1)), Some((1, 2))]);
}
