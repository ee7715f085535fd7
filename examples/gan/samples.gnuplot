# Draws what the generators make: gnuplot -c samples.gnuplot samples.csv samples.png

samples = ARG1
set terminal pngcairo size 1200, 430 font "DejaVu Sans,11" enhanced
set output ARG2
set datafile separator ","
array name[3] = ["data", "without", "with SpectralNorm"]
array color[3] = ["#555555", "#d55e00", "#0072b2"]
of(i, column) = strcol(1) eq name[i] ? column(column) : NaN

set multiplot layout 1, 3 title "A ring of eight Gaussians: the data, and what GANs with the same start and steps make of it" font ",13"
set size ratio -1
set xrange [-3:3]
set yrange [-3:3]
set grid linecolor "#dddddd"
set border 3 linecolor "#888888"
set tics nomirror
do for [i = 1:3] {
  set title name[i]
  plot samples using (of(i, 2)):(of(i, 3)) with points pointtype 7 pointsize 0.3 linecolor rgb color[i] notitle
}
unset multiplot
