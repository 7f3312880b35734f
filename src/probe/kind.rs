//! The names of events, for counters and JSON.

use crate::event::{Event, IcmpEvent, SendReason, TcpEvent};

macro_rules! kinds {
    ($($name:ident => $text:literal,)*) => {
        /// What kind of event it is, as counters and JSON lines name it.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Kind { $($name,)* }

        impl Kind {
            pub const ALL: &'static [Kind] = &[$(Kind::$name,)*];

            /// In words with underscores: `tcp_rtt_sample`.
            pub const fn name(self) -> &'static str {
                match self { $(Kind::$name => $text,)* }
            }
        }
    };
}

kinds! {
    FrameReceived => "frame_received",
    FrameHandled => "frame_handled",
    FrameSent => "frame_sent",
    Stripped => "stripped",
    Prepended => "prepended",
    Dropped => "dropped",
    Neighbour => "neighbour",
    AwaitsNeighbour => "awaits_neighbour",
    AddressConflict => "address_conflict",
    NeighbourMessage => "neighbour_message",
    Fragmented => "fragmented",
    FragmentHeld => "fragment_held",
    Reassembled => "reassembled",
    PathMtu => "path_mtu",
    EchoRequest => "icmp_echo_request",
    EchoReply => "icmp_echo_reply",
    IcmpError => "icmp_error",
    Delivered => "delivered",
    TcpState => "tcp_state",
    TcpMemory => "tcp_memory",
    TcpSynCookie => "tcp_syn_cookie",
    TcpSynchronise => "tcp_synchronise",
    TcpSegmentSent => "tcp_segment_sent",
    TcpRetransmission => "tcp_retransmission",
    TcpAcknowledged => "tcp_acknowledged",
    TcpDuplicateAck => "tcp_duplicate_ack",
    TcpAccepted => "tcp_accepted",
    TcpOutOfOrder => "tcp_out_of_order",
    TcpDuplicate => "tcp_duplicate",
    TcpPeerWindow => "tcp_peer_window",
    TcpReceiveBuffer => "tcp_receive_buffer",
    TcpFastOpen => "tcp_fast_open",
    TcpRttSample => "tcp_rtt_sample",
    TcpDeliveryRate => "tcp_delivery_rate",
    TcpSacked => "tcp_sacked",
    TcpLost => "tcp_lost",
    TcpDuplicateSack => "tcp_duplicate_sack",
    TcpReordering => "tcp_reordering",
    TcpReneged => "tcp_reneged",
    TcpRecovery => "tcp_recovery",
    TcpMarked => "tcp_marked",
    TcpMarksTold => "tcp_marks_told",
    TcpEcnTrouble => "tcp_ecn_trouble",
    TcpSpurious => "tcp_spurious",
    TcpCongestionPhase => "tcp_congestion_phase",
    TcpCwnd => "tcp_cwnd",
    TcpAmbientLoss => "tcp_ambient_loss",
    TcpTimerSet => "tcp_timer_set",
    TcpTimerStopped => "tcp_timer_stopped",
    TcpTimerFired => "tcp_timer_fired",
    TcpIcmpError => "tcp_icmp_error",
    TcpPathMtuClaim => "tcp_path_mtu_claim",
    TcpUrgent => "tcp_urgent",
    TcpClosed => "tcp_closed",
}

impl Kind {
    pub fn of(event: &Event<'_>) -> Kind {
        match event {
            Event::FrameReceived { .. } => Kind::FrameReceived,
            Event::FrameHandled => Kind::FrameHandled,
            Event::FrameSent { .. } => Kind::FrameSent,
            Event::Stripped { .. } => Kind::Stripped,
            Event::Prepended { .. } => Kind::Prepended,
            Event::Dropped { .. } => Kind::Dropped,
            Event::Neighbour { .. } => Kind::Neighbour,
            Event::AwaitsNeighbour { .. } => Kind::AwaitsNeighbour,
            Event::AddressConflict { .. } => Kind::AddressConflict,
            Event::NeighbourMessage { .. } => Kind::NeighbourMessage,
            Event::Fragmented { .. } => Kind::Fragmented,
            Event::FragmentHeld { .. } => Kind::FragmentHeld,
            Event::Reassembled { .. } => Kind::Reassembled,
            Event::PathMtu { .. } => Kind::PathMtu,
            Event::Icmp { message: IcmpEvent::EchoRequest { .. } } => Kind::EchoRequest,
            Event::Icmp { message: IcmpEvent::EchoReply { .. } } => Kind::EchoReply,
            Event::Icmp { message: IcmpEvent::Error { .. } } => Kind::IcmpError,
            Event::Delivered { .. } => Kind::Delivered,
            Event::Tcp { event, .. } => Kind::of_tcp(event),
        }
    }

    fn of_tcp(event: &TcpEvent) -> Kind {
        match event {
            TcpEvent::State { .. } => Kind::TcpState,
            TcpEvent::Memory { .. } => Kind::TcpMemory,
            TcpEvent::SynCookie { .. } => Kind::TcpSynCookie,
            TcpEvent::Synchronise { .. } => Kind::TcpSynchronise,
            TcpEvent::SegmentSent { why, .. } if is_retransmission(*why) => Kind::TcpRetransmission,
            TcpEvent::SegmentSent { .. } => Kind::TcpSegmentSent,
            TcpEvent::Acknowledged { .. } => Kind::TcpAcknowledged,
            TcpEvent::DuplicateAck { .. } => Kind::TcpDuplicateAck,
            TcpEvent::Accepted { .. } => Kind::TcpAccepted,
            TcpEvent::OutOfOrder { .. } => Kind::TcpOutOfOrder,
            TcpEvent::Duplicate { .. } => Kind::TcpDuplicate,
            TcpEvent::PeerWindow { .. } => Kind::TcpPeerWindow,
            TcpEvent::ReceiveBuffer { .. } => Kind::TcpReceiveBuffer,
            TcpEvent::FastOpen { .. } => Kind::TcpFastOpen,
            TcpEvent::RttSample { .. } => Kind::TcpRttSample,
            TcpEvent::DeliveryRate { .. } => Kind::TcpDeliveryRate,
            TcpEvent::Sacked { .. } => Kind::TcpSacked,
            TcpEvent::Lost { .. } => Kind::TcpLost,
            TcpEvent::DuplicateSack { .. } => Kind::TcpDuplicateSack,
            TcpEvent::Reordering { .. } => Kind::TcpReordering,
            TcpEvent::Reneged => Kind::TcpReneged,
            TcpEvent::Recovery { .. } => Kind::TcpRecovery,
            TcpEvent::Marked => Kind::TcpMarked,
            TcpEvent::MarksTold { .. } => Kind::TcpMarksTold,
            TcpEvent::EcnTrouble { .. } => Kind::TcpEcnTrouble,
            TcpEvent::Spurious { .. } => Kind::TcpSpurious,
            TcpEvent::CongestionPhase { .. } => Kind::TcpCongestionPhase,
            TcpEvent::Cwnd { .. } => Kind::TcpCwnd,
            TcpEvent::AmbientLoss { .. } => Kind::TcpAmbientLoss,
            TcpEvent::TimerSet { .. } => Kind::TcpTimerSet,
            TcpEvent::TimerStopped { .. } => Kind::TcpTimerStopped,
            TcpEvent::TimerFired { .. } => Kind::TcpTimerFired,
            TcpEvent::IcmpError { .. } => Kind::TcpIcmpError,
            TcpEvent::PathMtuClaim { .. } => Kind::TcpPathMtuClaim,
            TcpEvent::Urgent { .. } => Kind::TcpUrgent,
            TcpEvent::Closed { .. } => Kind::TcpClosed,
        }
    }
}

fn is_retransmission(why: SendReason) -> bool {
    matches!(
        why,
        SendReason::RetransmitTimeout
            | SendReason::FastRetransmit
            | SendReason::PartialAck
            | SendReason::SentLaterArrived
            | SendReason::SackedBeyond
            | SendReason::TailLossProbe
            | SendReason::SmallerMtu
    )
}
