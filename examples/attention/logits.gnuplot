# Draws how logits and loss develop: gnuplot -c logits.gnuplot logits.csv logits.png

curves = ARG1
set terminal pngcairo size 1200, 450 font "DejaVu Sans,11" enhanced
set output ARG2
set datafile separator ","
array name[3] = ["no norm", "QKNorm, rms", "QKNorm, l2"]
array color[3] = ["#555555", "#0072b2", "#d55e00"]

set multiplot layout 1, 2 title "One attention block, the same start, data and rate" font ",13"
set grid linecolor "#dddddd"
set border 3 linecolor "#888888"
set tics nomirror
set xlabel "step"
set logscale y
set key top left
set title "largest |logit| of a step"
plot for [i = 1:3] curves using 1:(column(3 * i - 1)) with lines linewidth 1.5 linecolor rgb color[i] title name[i]
set title "cross-entropy"
set key top right
plot for [i = 1:3] curves using 1:(column(3 * i)) with lines linewidth 1.5 linecolor rgb color[i] notitle
unset multiplot
