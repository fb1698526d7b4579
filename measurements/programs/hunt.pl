# Words of the files of some folders, counted by children, three at a time with five files each: perl hunt.pl FOLDER ...
use strict;
use File::Find;

my (@files, @reading, %count);
find({ wanted => sub { push @files, $File::Find::name if /\.(py|md)$/ }, no_chdir => 1 }, @ARGV);
@files = sort @files;

sub begin {
    my @own = @_;
    defined(my $child = open(my $pipe, '-|')) or die $!;
    return push @reading, $pipe if $child;
    my %words;
    for my $file (@own) {
        open(my $text, '<', $file) or next;
        while (<$text>) { $words{ lc $1 }++ while /(\w{5,})/g }
    }
    print "$_ $words{$_}\n" for keys %words;
    exit;
}

while (@files || @reading) {
    begin(splice @files, 0, 5) while @files && @reading < 3;
    my $pipe = shift @reading;
    while (<$pipe>) { my ($word, $times) = split; $count{$word} += $times }
    close $pipe;
}
print scalar(keys %count), "\n";
