# perl echo_protocol_websocket.pl VERSION URL SIZE...: sends standard input as
# messages of these sizes by Protocol::WebSocket, which speaks every VERSION
# there has been, and writes what comes back until all of it is there.
use strict;
use warnings;

use IO::Socket::INET;
use MIME::Base64;
use Protocol::WebSocket::Frame;
use Protocol::WebSocket::Handshake::Client;

my ($version, $url, @sizes) = @ARGV;
my $hixie = $version =~ /hixie|hybi-00/;
binmode $_ for *STDIN, *STDOUT;
my $payload = do { local $/; <STDIN> };

my $handshake = Protocol::WebSocket::Handshake::Client->new(url => $url, version => $version);
my ($address) = $url =~ m{//([^/]+)};
my $socket = IO::Socket::INET->new($address) or die $!;
print {$socket} $handshake->to_string;
my $early = '';
until ($handshake->is_done) {
    sysread($socket, $early, 4096, length $early) or die 'no answer';
    $handshake->parse($early) or die $handshake->error;
}

# A child sends while the parent reads.
if (my $child = fork) {
    my $frames = frame(buffer => $early);
    my $missing = length $payload;
    while ($missing > 0) {
        while (defined(my $bytes = $frames->next_bytes)) {
            $bytes = decode_base64($bytes) if $hixie;
            print $bytes;
            $missing -= length $bytes;
        }
        last if $missing == 0;
        sysread($socket, my $more, 65536) or die "$missing bytes are missing";
        $frames->append($more);
    }
    waitpid $child, 0;
    leave($frames);
} else {
    my $at = 0;
    for my $size (@sizes) {
        my $bytes = substr $payload, $at, $size;
        $bytes = encode_base64($bytes, '') if $hixie;
        print {$socket} frame(buffer => $bytes, type => 'binary', masked => 1)->to_bytes;
        $at += $size;
    }
}

sub frame { Protocol::WebSocket::Frame->new(version => $version, max_payload_size => undef, @_) }

# leave closes as the version has it, and waits for the server to.
sub leave {
    my ($frames) = @_;
    if ($version eq 'draft-hixie-75') {
        shutdown $socket, 1;
    } else {
        print {$socket} frame(type => 'close', masked => 1)->to_bytes;
    }
    while (sysread $socket, my $more, 4096) { $frames->append($more) }
    return if $version eq 'draft-hixie-75';
    1 while defined $frames->next_bytes && !$frames->is_close;
    die 'the server did not say close' unless $frames->is_close;
}
