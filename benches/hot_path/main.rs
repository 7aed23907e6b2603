//! What the parts of a call cost, one by one: serializers, frames, dispatch, names.
//!
//! ```text
//! cargo bench --bench hot_path              # everything; criterion compares with the last run
//! cargo bench --bench hot_path -- dispatch  # one group
//! ```
//!
//! Times of a shared machine scatter. `benches/instructions` counts the instructions of the same subjects, which do not.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark stops where it cannot go on, and nobody calls it")]

mod subjects;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

use crate::subjects::{Conversation, Names, TOGETHER, by_name, frames, postcard, split};

fn codec(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codec");
    let (mut message, mut call) = (postcard(), by_name());
    group.bench_function("a message is written", |bencher| bencher.iter(|| message.write()));
    group.bench_function("a message is read", |bencher| bencher.iter(|| message.read()));
    group.bench_function("a call by name is written", |bencher| bencher.iter(|| call.write()));
    group.bench_function("a call by name is read", |bencher| bencher.iter(|| call.read()));
}

fn frame(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frames");
    group.throughput(Throughput::Elements(TOGETHER as u64));
    group.bench_function("64 of one read are taken apart", |bencher| {
        let input = frames();
        bencher.iter_batched(|| input.clone(), split, BatchSize::SmallInput);
    });
}

/// How a subject is made, and what is done with it.
type Make = fn() -> Conversation;
type Run = fn(&Conversation, usize) -> u64;

fn dispatch(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dispatch");
    group.throughput(Throughput::Elements(TOGETHER as u64));
    let (far, near) = (Conversation::over_a_connection, Conversation::within_the_process);
    let subjects: [(&str, Make, Run); 4] = [
        ("64 calls over a connection", far, Conversation::calls),
        ("64 calls within the process", near, Conversation::calls),
        ("64 oneways over a connection", far, Conversation::oneways),
        ("64 oneways within the process", near, Conversation::oneways),
    ];
    for (name, conversation, run) in subjects {
        group.bench_function(name, |bencher| {
            let conversation = conversation();
            bencher.iter(|| run(&conversation, TOGETHER));
        });
    }
}

fn names(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("names");
    let mut names = Names::new();
    group.bench_function("one of 10,000 is resolved", |bencher| bencher.iter(|| black_box(&names).resolve()));
    group.bench_function("a group of 100 is listed", |bencher| bencher.iter(|| black_box(&names).list()));
    group.bench_function("one is registered and withdrawn", |bencher| bencher.iter(|| names.register()));
}

criterion_group!(benches, codec, frame, dispatch, names);
criterion_main!(benches);
