# Draws the learning curves: gnuplot -c curves.gnuplot learning_curves.csv learning_curves.png '"no norm" "LayerNorm"'
# Left the loss, right the test accuracy; lines are means over the seeds, bands reach from the least to the most.

curves = ARG1
norms = words(ARG3)
array name[norms]
do for [i = 1:norms] { name[i] = word(ARG3, i) }
array color = ["#555555", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]

set terminal pngcairo size 1200, 500 font "DejaVu Sans,11" enhanced
set output ARG2
set datafile separator ","
set datafile missing "NaN"

set multiplot layout 1, 2 title "1,797 handwritten digits: the same network, the same seeds" font ",13"
set grid linecolor "#dddddd"
set border 3 linecolor "#888888"
set tics nomirror
set xlabel "epoch"
set style fill transparent solid 0.18 noborder

of(i, column) = strcol(1) eq name[i] ? column(column) : NaN

set title "training loss"
set ylabel "cross-entropy (log scale)"
set logscale y
set format y "10^{%T}"
set key top right
plot for [i = 1:norms] curves using (of(i, 3)):(of(i, 5)):(of(i, 6)) with filledcurves linecolor rgb color[i] notitle, \
     for [i = 1:norms] curves using (of(i, 3)):(of(i, 4)) with lines linewidth 2.5 linecolor rgb color[i] title name[i]

set title "test accuracy"
set ylabel "% of the 450 test images"
unset logscale y
set format y "%g"
set yrange [0:100]
set key bottom right
plot for [i = 1:norms] curves using (of(i, 3)):(of(i, 8)):(of(i, 9)) with filledcurves linecolor rgb color[i] notitle, \
     for [i = 1:norms] curves using (of(i, 3)):(of(i, 7)) with lines linewidth 2.5 linecolor rgb color[i] title name[i]
unset multiplot
