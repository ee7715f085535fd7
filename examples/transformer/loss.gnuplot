# Draws how the losses fall: gnuplot -c loss.gnuplot loss.csv loss.png

set terminal pngcairo size 700, 450 font "DejaVu Sans,11" enhanced
set output ARG2
set datafile separator ","
set title "A byte-level decoder, the same start, data and rates" font ",13"
set grid linecolor "#dddddd"
set border 3 linecolor "#888888"
set tics nomirror
set xlabel "step"
set ylabel "cross-entropy of a batch, nats per byte"
set key top right
plot ARG1 using 1:2 with lines linewidth 1.5 linecolor rgb "#0072b2" title "f32 activations", \
     ARG1 using 1:3 with lines linewidth 1.5 linecolor rgb "#d55e00" title "bf16 activations"
