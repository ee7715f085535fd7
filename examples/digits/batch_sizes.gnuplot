# Draws accuracy against batch size, and the learning curves of two sizes:
#   gnuplot -c batch_sizes.gnuplot batch_sizes.csv learning_curves.csv batch_sizes.png 2 32 '"no norm" "GroupNorm"'
# Lines are means over the seeds, bands and bars reach from the least to the most.

grid = ARG1
curves = ARG2
norms = words(ARG6)  # in one argument, because gnuplot takes no more than nine
array name[norms]
do for [i = 1:norms] { name[i] = word(ARG6, i) }
array color = ["#555555", "#d55e00", "#009e73", "#0072b2", "#cc79a7", "#e69f00"]

set terminal pngcairo size 1400, 480 font "DejaVu Sans,11" enhanced
set output ARG3
set datafile separator ","
set datafile missing "NaN"

set multiplot title "1,797 handwritten digits: the same small convolutional network, the same seeds" font ",13"
set grid linecolor "#dddddd"
set border 3 linecolor "#888888"
set tics nomirror
set style fill transparent solid 0.15 noborder
set bmargin at screen 0.12
set tmargin at screen 0.84

of(i, column) = strcol(1) eq name[i] ? column(column) : NaN
at(i, batch, column) = column(2) == batch ? of(i, column) : NaN

set lmargin at screen 0.05
set rmargin at screen 0.41
set title "after the last epoch"
set xlabel "batch size (images per step)"
set ylabel "test accuracy, % of 450 images"
set logscale x 2
set xrange [ARG4 / 1.15:*]
set yrange [*:100]
set key bottom right
plot for [i = 1:norms] grid using (of(i, 2)):(of(i, 3)):(of(i, 4)):(of(i, 5)) with yerrorbars pointtype 7 pointsize 0.4 linecolor rgb color[i] notitle, \
     for [i = 1:norms] grid using (of(i, 2)):(of(i, 3)) with linespoints pointtype 7 pointsize 0.9 linewidth 2.5 linecolor rgb color[i] title name[i]

unset logscale x
set xrange [0:*]
set yrange [0:100]
set xlabel "epoch"
unset ylabel
unset key
do for [panel = 0:1] {
  batch = panel == 0 ? ARG4 + 0 : ARG5 + 0
  set lmargin at screen 0.46 + 0.28 * panel
  set rmargin at screen 0.70 + 0.28 * panel
  set title sprintf("learning at batch size %d", batch)
  plot for [i = 1:norms] curves using (at(i, batch, 3)):(at(i, batch, 8)):(at(i, batch, 9)) with filledcurves linecolor rgb color[i] notitle, \
       for [i = 1:norms] curves using (at(i, batch, 3)):(at(i, batch, 7)) with lines linewidth 2.5 linecolor rgb color[i] title name[i]
}
unset multiplot
