//! Connections in TIME-WAIT that nobody holds any more are cut down to a record, which answers in their name.

use super::TcpId;
use super::socket::Shape;
use super::tcp::TcpTable;
use super::time_waits::{Former, Record};
use crate::event::{CloseReason, Context, Event, FourTuple, StateCause, TcpEvent, TcpState, TimerKind};
use crate::tcp::Segment;
use crate::tcp::time_wait::Answer;
use crate::wire::tcp::{Flags, Header};
use crate::wire::tcp_options::{Options, Timestamps};
use std::net::IpAddr;

impl TcpTable {
    /// A connection that nobody holds is cut down to its record once it is in TIME-WAIT and has nothing to say.
    pub(super) fn shrink_to_time_wait(&mut self, cx: &mut Context<'_>, id: TcpId) {
        let Some(socket) = self.sockets.get(id) else { return };
        let Shape::Connection(connection) = &socket.shape else { return };
        let Some((wait, until)) = connection.time_wait() else { return };
        let tuple = *connection.tuple();
        let evicted = self.time_waits.insert(&tuple, wait, connection.config(), until.max(cx.now));
        self.sockets.unlist(id);
        self.remove_if_released(id);
        if let Some(evicted) = evicted {
            end(cx, &evicted, StateCause::Evicted);
        }
    }

    pub(super) fn return_to_time_wait(&mut self, cx: &mut Context<'_>, (tuple, record): Former) {
        if let Some(evicted) = self.time_waits.put_back(&tuple, record) {
            end(cx, &evicted, StateCause::Evicted);
        }
    }

    pub(super) fn end_time_waits(&mut self, cx: &mut Context<'_>) {
        while let Some(tuple) = self.time_waits.take_due(cx.now) {
            let event = TcpEvent::TimerFired { timer: TimerKind::TimeWait, count: 1 };
            cx.tell(|| Event::Tcp { connection: tuple, event });
            end(cx, &tuple, StateCause::TimeWaitOver);
        }
    }

    /// False when no connection of that name is in TIME-WAIT.
    pub(super) fn handle_in_time_wait(
        &mut self,
        cx: &mut Context<'_>,
        tuple: FourTuple,
        segment: &Segment<'_>,
        path_mtu: impl Fn(IpAddr) -> usize,
    ) -> bool {
        let Some(record) = self.time_waits.get_mut(&tuple).filter(|record| !record.is_over(cx.now)) else {
            return false;
        };
        let answer = record.wait.handle_segment(cx, segment);
        if answer != Answer::NewIncarnation {
            self.answer_in_time_wait(cx, &tuple, answer);
        } else if self.would_open(tuple.local, segment) {
            let former = self.time_waits.remove(&tuple).map(Box::new);
            end(cx, &tuple, StateCause::NewIncarnation);
            self.handle_without_connection(cx, tuple, segment, path_mtu, former);
        } else if let Some(record) = self.time_waits.get_mut(&tuple) {
            let answer = record.wait.refuse_syn(cx);
            self.answer_in_time_wait(cx, &tuple, answer);
        }
        true
    }

    fn answer_in_time_wait(&mut self, cx: &mut Context<'_>, tuple: &FourTuple, answer: Answer) {
        let Answer::Acknowledge { why, restart } = answer else { return };
        let Some(record) = self.time_waits.get_mut(tuple) else { return };
        if restart {
            let at = record.restart(cx.now);
            let event = TcpEvent::TimerSet { timer: TimerKind::TimeWait, at };
            cx.tell(|| Event::Tcp { connection: *tuple, event });
        }
        let offset = self.key.timestamp_offset(tuple);
        let value = (cx.now.as_millis() as u32).wrapping_add(offset);
        let header = Header {
            source_port: tuple.local.port(),
            destination_port: tuple.remote.port(),
            seq: record.wait.snd_nxt().0,
            ack: record.wait.rcv_nxt().0,
            flags: Flags::ACK,
            window: record.wait.window_field(),
            options: Options {
                timestamps: record.wait.recent().map(|echo| Timestamps { value, echo }),
                ..Options::default()
            },
            ..Header::default()
        };
        let (ttl, traffic_class) = (record.ttl, record.traffic_class);
        self.reply_as(*tuple, header, why, (ttl, traffic_class));
    }

    /// A SYN for a connection in TIME-WAIT that its application still holds, to read what came.
    pub(super) fn begin_anew(
        &mut self,
        cx: &mut Context<'_>,
        id: TcpId,
        segment: &Segment<'_>,
        path_mtu: impl Fn(IpAddr) -> usize,
    ) {
        let tuple = self.tuple(id);
        let listens = self.would_open(tuple.local, segment);
        let Shape::Connection(connection) = &mut self.socket(id).shape else { return };
        if !listens {
            connection.refuse_incarnation(cx);
            return self.settle(id);
        }
        let left = connection.time_wait();
        let record = left.map(|(wait, until)| (tuple, Record::new(&tuple, wait, connection.config(), until)));
        connection.give_way(cx);
        self.settle(id);
        self.handle_without_connection(cx, tuple, segment, path_mtu, record.map(Box::new));
    }
}

fn end(cx: &mut Context<'_>, tuple: &FourTuple, why: StateCause) {
    let moved = TcpEvent::State { from: TcpState::TimeWait, to: TcpState::Closed, why };
    for event in [moved, TcpEvent::Closed { why: CloseReason::Finished }] {
        cx.tell(|| Event::Tcp { connection: *tuple, event });
    }
}
