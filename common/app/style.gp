# The style of every picture in this repository; common/app/draw loads it. The commands that it draws set
# `width` and `height` in pixels first, and `format` is svg or png. Grey text on a transparent ground can be
# read on light and on dark pages.

grey = '#7a8490'
pale = '#c87a8490'  # for grid lines; the first byte is the transparency
bold = 'sans-serif:Bold'
if (format eq 'png') {
  # Twice the size, so that text stays sharp when the picture is enlarged.
  set terminal pngcairo noenhanced transparent size 2 * width, 2 * height font 'sans-serif,12' \
    fontscale 1.5 linewidth 2 pointscale 2
} else {
  set terminal svg noenhanced size width, height font 'sans-serif,12'
}
set border 1 linecolor rgb grey
set grid ytics linetype 1 linecolor rgb pale
set xtics nomirror out scale 0.4 offset 0, 0.5 textcolor rgb grey font 'sans-serif,11'
set ytics nomirror scale 0 textcolor rgb grey font 'sans-serif,11'
set xlabel textcolor rgb grey font 'sans-serif,11'
set key textcolor rgb grey
set clip two
