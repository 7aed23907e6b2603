//! How many instructions the parts of a call take: the subjects of `benches/hot_path`, under callgrind. See README.md.

#[path = "../hot_path/subjects.rs"]
mod subjects;

use std::hint::black_box;

use bytes::BytesMut;
use gungraun::{library_benchmark, library_benchmark_group, main};
use pyroxene::codec::call::NamedCall;

use crate::subjects::{Codec, Conversation, Names, Order, TOGETHER};

#[library_benchmark(setup = subjects::postcard)]
fn message_written(mut message: Codec<Order>) -> usize {
    black_box(message.write())
}

#[library_benchmark(setup = subjects::postcard)]
fn message_read(message: Codec<Order>) -> Order {
    black_box(message.read())
}

#[library_benchmark(setup = subjects::by_name)]
fn call_by_name_written(mut call: Codec<NamedCall>) -> usize {
    black_box(call.write())
}

#[library_benchmark(setup = subjects::by_name)]
fn call_by_name_read(call: Codec<NamedCall>) -> NamedCall {
    black_box(call.read())
}

#[library_benchmark(setup = subjects::frames)]
fn frames_64(input: BytesMut) -> usize {
    black_box(subjects::split(input))
}

/// Everything is connected, and has been used.
fn warm(conversation: Conversation) -> Conversation {
    conversation.calls(TOGETHER);
    conversation.oneways(TOGETHER);
    conversation
}

fn over_a_connection() -> Conversation {
    warm(Conversation::over_a_connection())
}

fn within_the_process() -> Conversation {
    warm(Conversation::within_the_process())
}

#[library_benchmark(setup = over_a_connection)]
fn calls_64_over_a_connection(conversation: Conversation) -> Conversation {
    black_box(conversation.calls(TOGETHER));
    conversation
}

#[library_benchmark(setup = within_the_process)]
fn calls_64_within_the_process(conversation: Conversation) -> Conversation {
    black_box(conversation.calls(TOGETHER));
    conversation
}

#[library_benchmark(setup = over_a_connection)]
fn oneways_64_over_a_connection(conversation: Conversation) -> Conversation {
    black_box(conversation.oneways(TOGETHER));
    conversation
}

#[library_benchmark(setup = within_the_process)]
fn oneways_64_within_the_process(conversation: Conversation) -> Conversation {
    black_box(conversation.oneways(TOGETHER));
    conversation
}

#[library_benchmark(setup = Names::new)]
fn name_resolved(names: Names) -> Names {
    black_box(names.resolve());
    names
}

#[library_benchmark(setup = Names::new)]
fn group_of_100_listed(names: Names) -> Names {
    black_box(names.list());
    names
}

#[library_benchmark(setup = Names::new)]
fn name_registered_and_withdrawn(mut names: Names) -> Names {
    names.register();
    names
}

library_benchmark_group!(
    name = codec,
    benchmarks = [message_written, message_read, call_by_name_written, call_by_name_read]
);
library_benchmark_group!(name = frames, benchmarks = [frames_64]);
library_benchmark_group!(
    name = dispatch,
    benchmarks = [
        calls_64_over_a_connection,
        calls_64_within_the_process,
        oneways_64_over_a_connection,
        oneways_64_within_the_process
    ]
);
library_benchmark_group!(
    name = names,
    benchmarks = [name_resolved, group_of_100_listed, name_registered_and_withdrawn]
);

main!(library_benchmark_groups = [codec, frames, dispatch, names]);
