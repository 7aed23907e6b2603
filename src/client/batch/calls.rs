//! The calls of a batch: some, each of its own type, or any number of one type.

use crate::client::batch::join::Slot;
use crate::client::call::Typed;
use crate::client::dyn_proxy::Named;
use crate::client::error::CallError;
use crate::client::exchange::Ended;
use crate::client::request::Request;
use crate::codec::Value;
use crate::object::message::RemoteMessage;

/// The calls of a batch, and what they end with.
pub trait Calls: Send + 'static {
    /// How each of them ended.
    type Outcomes: Send + 'static;
}

/// A list of calls that one more can be added to.
#[diagnostic::on_unimplemented(
    message = "no further call can be added to this batch one by one",
    note = "a batch has up to twelve calls that are added one by one; `add_all` takes any number of one method"
)]
pub trait Append<T> {
    /// The list with the call behind the others.
    type Appended;

    /// Adds it.
    fn append(self, call: T) -> Self::Appended;
}

/// What is done with each call in turn.
pub(crate) trait Visit {
    fn visit<R: Request>(&mut self, request: &R);
}

/// How each call ends.
pub(crate) trait End {
    fn end<R: Request>(&mut self, request: &R) -> Ended<R>;
}

/// Where each call goes.
pub(crate) trait IntoSlot {
    fn slot<R: Request>(&mut self, request: R) -> Slot<R>;
}

/// What is done with each call under way.
pub(crate) trait VisitSlot {
    fn visit<R: Request>(&mut self, slot: &mut Slot<R>);
}

/// What can be done with the calls of a batch.
pub(crate) trait CallList: Calls {
    /// Where they end one by one.
    type Slots: Send + 'static;

    fn count(&self) -> usize;
    fn each(&self, visit: &mut impl Visit);
    fn end(&self, end: &mut impl End) -> Self::Outcomes;
    fn into_slots(self, into: &mut impl IntoSlot) -> Self::Slots;
    fn each_slot(slots: &mut Self::Slots, visit: &mut impl VisitSlot);
    /// How they ended, once all have.
    fn outcomes(slots: &mut Self::Slots) -> Option<Self::Outcomes>;
}

impl<M: RemoteMessage> Append<Typed<M>> for Vec<Typed<M>> {
    type Appended = Vec<Typed<M>>;

    fn append(mut self, call: Typed<M>) -> Vec<Typed<M>> {
        self.push(call);
        self
    }
}

impl<M: RemoteMessage> Calls for Vec<Typed<M>> {
    type Outcomes = Vec<Result<M::Reply, CallError<M::Error>>>;
}

impl Calls for Vec<Named> {
    type Outcomes = Vec<Result<Value, CallError>>;
}

impl<R: Request> CallList for Vec<R>
where
    Vec<R>: Calls<Outcomes = Vec<Ended<R>>>,
{
    type Slots = Vec<Slot<R>>;

    fn count(&self) -> usize {
        self.len()
    }

    #[inline]
    fn each(&self, visit: &mut impl Visit) {
        self.iter().for_each(|request| visit.visit(request));
    }

    #[inline]
    fn end(&self, end: &mut impl End) -> Vec<Ended<R>> {
        self.iter().map(|request| end.end(request)).collect()
    }

    fn into_slots(self, into: &mut impl IntoSlot) -> Vec<Slot<R>> {
        self.into_iter().map(|request| into.slot(request)).collect()
    }

    fn each_slot(slots: &mut Vec<Slot<R>>, visit: &mut impl VisitSlot) {
        slots.iter_mut().for_each(|slot| visit.visit(slot));
    }

    fn outcomes(slots: &mut Vec<Slot<R>>) -> Option<Vec<Ended<R>>> {
        slots.drain(..).map(Slot::into_ended).collect()
    }
}

impl<M: RemoteMessage> Append<Typed<M>> for () {
    type Appended = (Typed<M>,);

    fn append(self, call: Typed<M>) -> (Typed<M>,) {
        (call,)
    }
}

macro_rules! tuples {
    ($($message:ident $place:tt),*) => {
        impl<$($message: RemoteMessage),*> Calls for ($(Typed<$message>,)*) {
            type Outcomes = ($(Result<$message::Reply, CallError<$message::Error>>,)*);
        }

        impl<$($message: RemoteMessage),*> CallList for ($(Typed<$message>,)*) {
            type Slots = ($(Slot<Typed<$message>>,)*);

            fn count(&self) -> usize {
                [$($place),*].len()
            }

            fn each(&self, visit: &mut impl Visit) {
                $(visit.visit(&self.$place);)*
            }

            fn end(&self, end: &mut impl End) -> Self::Outcomes {
                ($(end.end(&self.$place),)*)
            }

            fn into_slots(self, into: &mut impl IntoSlot) -> Self::Slots {
                ($(into.slot(self.$place),)*)
            }

            fn each_slot(slots: &mut Self::Slots, visit: &mut impl VisitSlot) {
                $(visit.visit(&mut slots.$place);)*
            }

            fn outcomes(slots: &mut Self::Slots) -> Option<Self::Outcomes> {
                Some(($(slots.$place.take_ended()?,)*))
            }
        }
    };
}

macro_rules! append {
    ($($message:ident $place:tt),*; $next:ident) => {
        impl<$($message: RemoteMessage,)* $next: RemoteMessage> Append<Typed<$next>> for ($(Typed<$message>,)*) {
            type Appended = ($(Typed<$message>,)* Typed<$next>,);

            fn append(self, call: Typed<$next>) -> Self::Appended {
                ($(self.$place,)* call,)
            }
        }
    };
}

tuples!(A 0);
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);
tuples!(A 0, B 1, C 2, D 3, E 4);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);

append!(A 0; B);
append!(A 0, B 1; C);
append!(A 0, B 1, C 2; D);
append!(A 0, B 1, C 2, D 3; E);
append!(A 0, B 1, C 2, D 3, E 4; F);
append!(A 0, B 1, C 2, D 3, E 4, F 5; G);
append!(A 0, B 1, C 2, D 3, E 4, F 5, G 6; H);
append!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7; I);
append!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8; J);
append!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9; K);
append!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10; L);
